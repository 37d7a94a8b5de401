import { type BrokenRequest, type FuzzRequest, isBroken } from './fuzz-draft.ts'

type Fails = (request: FuzzRequest) => Promise<boolean>

/** Each is sent. */
const MOST_TRIES = 150
const MOST_SHOWN = 3000

/** The request without what it fails without, as far as it can be had in so many tries. */
export async function shrunkRequest(request: FuzzRequest, fails: Fails): Promise<FuzzRequest> {
  let smallest = request
  let tries = 0
  for (let isSmaller = true; isSmaller && tries < MOST_TRIES; ) {
    isSmaller = false
    for (const candidate of smallerOnes(smallest)) {
      if (tries === MOST_TRIES) break
      tries += 1
      if (!(await fails(candidate))) continue
      smallest = candidate
      isSmaller = true
      break
    }
  }
  return smallest
}

function* smallerOnes(request: FuzzRequest): Generator<FuzzRequest> {
  const { target, headers, body } = request
  for (const each of headers) {
    if (each[0] !== 'Authorization') yield { ...request, headers: headers.filter((other) => other !== each) }
  }
  const [path, query] = target.split(/\?(.*)/s)
  const parts = query?.split('&') ?? []
  for (const part of parts) {
    const others = parts.filter((other) => other !== part)
    yield { ...request, target: others.length === 0 ? (path ?? '') : `${path}?${others.join('&')}` }
  }
  if (body === undefined) return
  const json = parsed(body)
  if (json !== undefined) {
    for (const smaller of smallerJson(json)) yield { ...request, body: Buffer.from(JSON.stringify(smaller)) }
    return
  }
  for (let size = Math.ceil(body.length / 2); size >= 8; size = Math.floor(size / 2)) {
    for (let at = 0; at < body.length; at += size) {
      yield { ...request, body: Buffer.concat([body.subarray(0, at), body.subarray(at + size)]) }
    }
  }
}

function parsed(body: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(body.toString())
    // Whatever would be lost by printing it again must not be.
    return JSON.stringify(value) === body.toString() ? value : undefined
  } catch {
    return undefined
  }
}

/** The value without one of its parts, or with a text half as long; large parts first. */
function* smallerJson(value: unknown): Generator<unknown> {
  if (typeof value === 'string' && value.length > 1) yield value.slice(0, Math.floor(value.length / 2))
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    for (const index of value.keys()) yield value.toSpliced(index, 1)
    for (const [index, each] of value.entries()) {
      for (const smaller of smallerJson(each)) yield value.with(index, smaller)
    }
    return
  }
  const members = Object.entries(value)
  for (const [name] of members) yield Object.fromEntries(members.filter(([other]) => other !== name))
  for (const [name, each] of members) {
    for (const smaller of smallerJson(each)) {
      yield Object.fromEntries(members.map((member) => (member[0] === name ? [name, smaller] : member)))
    }
  }
}

/** In characters that any terminal shows. */
export function printedRequest(request: FuzzRequest | BrokenRequest): string {
  if (isBroken(request)) return `${request.what}: ${visible(request.bytes.toString('latin1'))}`
  const { method, target, headers, body } = request
  const lines = [`${method} ${target}`, ...headers.map(([name, value]) => `${name}: ${value}`)]
  return [...lines.map(visible), ...(body === undefined ? [] : ['', visible(body.toString('latin1'))])].join(
    '\n',
  )
}

function visible(text: string): string {
  const shown = text
    .slice(0, MOST_SHOWN)
    .replaceAll(/[^\x20-\x7e]/g, (each) => `\\x${(each.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`)
  return text.length > MOST_SHOWN ? `${shown}… (${text.length} bytes)` : shown
}
