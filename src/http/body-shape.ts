/** No SCIM resource nests deeper than an attribute's sub-attribute's value; the rest is slack. */
export const MAX_DEPTH = 32

/** A group with as many members as fit into the largest body is below it. */
export const MAX_NODES = 250_000

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING = new Set([0x5b, 0x7b])
const CLOSING = new Set([0x5d, 0x7d])

/**
 * What is wrong with the shape of a JSON text, looked at before it is parsed: eight mebibytes of brackets become hundreds of
 * mebibytes of objects. Says nothing about texts that are no JSON.
 */
export function shapeFault(json: Uint8Array): string | undefined {
  let depth = 0
  let nodes = 0
  let inString = false
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at] ?? 0
    if (inString) {
      if (byte === BACKSLASH) at += 1
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (OPENING.has(byte)) {
      depth += 1
      nodes += 1
      // The root is level 0, and a number within the innermost bracket is no level of its own.
      if (depth > MAX_DEPTH + 1) return `the body nests deeper than ${MAX_DEPTH} levels`
      if (nodes > MAX_NODES) return `the body has more than ${MAX_NODES} objects and lists`
    } else if (CLOSING.has(byte)) depth -= 1
  }
  return undefined
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
