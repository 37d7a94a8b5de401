/** No SCIM resource nests deeper than an attribute's sub-attribute's value; the rest is slack. */
export const MAX_DEPTH = 32

/** A group with as many members as fit into the largest body is below it. */
export const MAX_NODES = 250_000

/** Far more than all schemas together declare. */
const MAX_NAMES = 1000

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_LIST = 0x5b
const OPEN_OBJECT = 0x7b
const CLOSING = new Set([0x5d, 0x7d])

/** An open bracket: of a list, without names, or of an object. */
interface Open {
  readonly names: Set<string> | undefined
  expectsName: boolean
}

/**
 * What is wrong with the shape of a JSON text, looked at before it is parsed: eight mebibytes of brackets become hundreds of
 * mebibytes of objects, and of a name that an object has twice (RFC 8259 §4) a parser keeps one, and whoever looks at the
 * request before us perhaps the other. Says nothing about texts that are no JSON.
 */
export function shapeFault(json: Buffer): string | undefined {
  const open: Open[] = []
  let nodes = 0
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]
    const innermost = open.at(-1)
    if (byte === QUOTE) {
      const end = endOfString(json, at)
      if (innermost?.names && innermost.expectsName) {
        const name = nameIn(json, at, end)
        if (innermost.names.has(name)) return `'${name.slice(0, 100)}' is given twice`
        if (innermost.names.size === MAX_NAMES) return `an object has more than ${MAX_NAMES} names`
        innermost.names.add(name)
        innermost.expectsName = false
      }
      at = end
    } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      nodes += 1
      // The root is level 0, and a number within the innermost bracket is no level of its own.
      if (open.length > MAX_DEPTH) return `the body nests deeper than ${MAX_DEPTH} levels`
      if (nodes > MAX_NODES) return `the body has more than ${MAX_NODES} objects and lists`
      const isObject = byte === OPEN_OBJECT
      open.push({ names: isObject ? new Set() : undefined, expectsName: isObject })
    } else if (byte === COMMA) {
      if (innermost?.names) innermost.expectsName = true
    } else if (CLOSING.has(byte ?? 0)) open.pop()
  }
  return undefined
}

/** The place of the quote that ends the string begun there, or the end of the text. */
function endOfString(json: Buffer, begin: number): number {
  for (let at = begin + 1; at < json.length; at += 1) {
    if (json[at] === BACKSLASH) at += 1
    else if (json[at] === QUOTE) return at
  }
  return json.length
}

/** A name as the parser will read it, its escapes resolved. */
function nameIn(json: Buffer, begin: number, end: number): string {
  const written = json.toString('utf8', begin + 1, end)
  if (!written.includes('\\')) return written
  try {
    return JSON.parse(`"${written}"`)
  } catch {
    return written
  }
}

/** Names by which an object's prototype is reached. No attribute has one of them: schema extensions may not declare it. */
const RESERVED = ['__proto__', 'constructor', 'prototype']

/** The first such name that a body uses, at any depth. */
export function reservedKey(body: unknown): string | undefined {
  const waiting = [body]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (typeof value !== 'object' || value === null) continue
    const found = RESERVED.find((name) => Object.hasOwn(value, name))
    if (found !== undefined) return found
    for (const inner of Object.values(value)) if (typeof inner === 'object') waiting.push(inner)
  }
  return undefined
}
