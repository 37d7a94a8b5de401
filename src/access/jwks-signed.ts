import { compactVerify, errors, type JWSHeaderParameters } from 'jose'
import type { KeySource } from './jwks.ts'

export type JwtFailure = 'malformed' | 'algorithm' | 'key_unknown' | 'signature' | 'expired' | 'not_yet_valid'

/** A token's content. Nothing of it is to be believed before `verify` has said so. */
export interface Jwt {
  readonly token: string
  readonly header: JWSHeaderParameters & { readonly alg: string }
  readonly claims: Readonly<Record<string, unknown>>
}

const PARTS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/
const LONGEST = 16 * 1024

/** Undefined for whatever is no signed token: encrypted ones (five parts) and unsigned ones included. */
export function readJwt(token: string): Jwt | undefined {
  const [, head, body] = (token.length <= LONGEST && PARTS.exec(token)) || []
  if (head === undefined || body === undefined) return undefined
  const header = readObject(head)
  const claims = readObject(body)
  if (!header || !claims || typeof header.alg !== 'string') return undefined
  // RFC 7515 §4.1.11: what must be understood, and is not.
  if (header.crit !== undefined || header.b64 !== undefined) return undefined
  return { token, header: header as Jwt['header'], claims }
}

function readObject(part: string): Record<string, unknown> | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url'))
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject && !repeatsName(text) ? (value as Record<string, unknown>) : undefined
  } catch {
    // Not UTF-8 or not JSON, so no token.
    return undefined
  }
}

/**
 * Whether an object of this JSON text, which must be valid, has a name twice. RFC 7519 §4 lets a reader take the last or
 * refuse; two readers that differ could be told two things.
 */
export function repeatsName(text: string): boolean {
  const open: (Set<string> | undefined)[] = []
  const lexemes = text.match(/"(?:[^"\\]|\\.)*"|[{}[\]:]/gs) ?? []
  for (const [index, lexeme] of lexemes.entries()) {
    if (lexeme === '{') open.push(new Set())
    else if (lexeme === '[') open.push(undefined)
    else if (lexeme === '}' || lexeme === ']') open.pop()
    else if (lexeme !== ':' && lexemes[index + 1] === ':') {
      const names = open.at(-1)
      const name = JSON.parse(lexeme)
      if (names?.has(name)) return true
      names?.add(name)
    }
  }
  return false
}

/** Checks the signature with a key of the issuer's. What the header says about keys, but for the id, is ignored (RFC 8725 §3.10). */
export async function verify(
  { token, header }: Jwt,
  algorithms: readonly string[],
  keys: KeySource,
): Promise<JwtFailure | undefined> {
  if (!algorithms.includes(header.alg)) return 'algorithm'
  const { alg, kid } = header
  const key = await keys.find(typeof kid === 'string' ? { alg, kid } : { alg })
  if (!key) return 'key_unknown'
  try {
    await compactVerify(token, key, { algorithms: [...algorithms] })
    return undefined
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature'
    if (error instanceof errors.JOSEError) return 'malformed'
    // A key that is not fit for the algorithm: an RSA key of less than 2048 bits.
    if (error instanceof TypeError) return 'key_unknown'
    throw error
  }
}

/** Between their clock and ours (RFC 7519 §4.1.4). */
const SKEW_SECONDS = 300

/** `exp` must be there; `nbf` and `iat` count when they are. */
export function checkTimes({ claims }: Jwt, now: Date): JwtFailure | undefined {
  const { exp, nbf, iat } = claims
  const seconds = now.getTime() / 1000
  if (!isInstant(exp)) return 'malformed'
  if (exp + SKEW_SECONDS <= seconds) return 'expired'
  for (const start of [nbf, iat]) {
    if (start === undefined) continue
    if (!isInstant(start)) return 'malformed'
    if (start - SKEW_SECONDS > seconds) return 'not_yet_valid'
  }
  return undefined
}

/** Longer than any that Entra issues. What is not remembered must not be good for years (RFC 7523 §3, item 4). */
const LONGEST_LIFE_SECONDS = 86_400

export const checkLifetime = ({ claims }: Jwt, now: Date): 'long_lived' | undefined =>
  isInstant(claims.exp) && claims.exp - now.getTime() / 1000 <= LONGEST_LIFE_SECONDS
    ? undefined
    : 'long_lived'

/** JSON can write numbers that JavaScript takes for infinite, and then nothing would ever expire. */
const isInstant = (claim: unknown): claim is number => Number.isFinite(claim)
