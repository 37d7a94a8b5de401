import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** What a token says of where it belongs, for whoever finds one. It is no part of what is checked. */
export type TokenEnvironment = 'prod' | 'dev'

/** `scim_<env>_<id>_<secret>`: the id finds the token, the secret (256 random bits) proves it. */
export interface NewToken {
  readonly tokenId: string
  readonly secretHash: Buffer
  /** The whole token, to be shown once. */
  readonly token: string
}

/** Tokens of the first version have no environment, and stay valid. */
const TOKEN = /^scim_(?:(?:prod|dev)_)?([a-z0-9]{16})_([A-Za-z0-9_-]{43})$/

export function createToken(environment: TokenEnvironment): NewToken {
  // 16 digits of base 36 from 80 random bits; an id needs to be unique, not secret.
  const tokenId = BigInt(`0x${randomBytes(10).toString('hex')}`)
    .toString(36)
    .padStart(16, '0')
  const secret = randomBytes(32).toString('base64url')
  return { tokenId, secretHash: sha256(secret), token: `scim_${environment}_${tokenId}_${secret}` }
}

export const isToken = (text: string): boolean => TOKEN.test(text)

export function parseToken(token: string): { tokenId: string; secretHash: Buffer } | undefined {
  const match = TOKEN.exec(token)
  const [, tokenId, secret] = match ?? []
  return tokenId !== undefined && secret !== undefined ? { tokenId, secretHash: sha256(secret) } : undefined
}

export const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/** In a time that says nothing about either. Both are digests, so their length is no secret. */
export const sameHash = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b)
