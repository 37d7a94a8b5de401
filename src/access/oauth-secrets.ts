import { randomBytes } from 'node:crypto'
import { sha256 } from './token.ts'

/** Their common beginning is what the log masks, wherever one turns up. */
const SECRET_PREFIX = 'scim_secret_'
const ACCESS_PREFIX = 'scim_access_'

const ACCESS_TOKEN = new RegExp(`^${ACCESS_PREFIX}[A-Za-z0-9_-]{43}$`)

/** What is shown once, and what is kept of it. */
export interface NewSecret {
  readonly text: string
  readonly hash: Buffer
}

const random = (prefix: string): NewSecret => {
  const text = prefix + randomBytes(32).toString('base64url')
  return { text, hash: sha256(text) }
}

export const newClientId = (): string => randomBytes(16).toString('hex')

export const isClientId = (text: string): boolean => /^[0-9a-f]{32}$/.test(text)

export const newClientSecret = (): NewSecret => random(SECRET_PREFIX)

export const newAccessToken = (): NewSecret => random(ACCESS_PREFIX)

export const isAccessToken = (text: string): boolean => ACCESS_TOKEN.test(text)
