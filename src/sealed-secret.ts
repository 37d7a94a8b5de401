import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'

/** A secret as it is kept in the database. */
export interface SealedSecret {
  readonly sealed: Buffer
  /** Names the key of ENCRYPTION_KEY that it was sealed with. */
  readonly keyId: string
}

/** What a sealed secret belongs to: copied to another row, or to another purpose, it does not open. */
export interface SecretOwner {
  readonly tenantId: number
  readonly purpose: string
}

/** The keys of ENCRYPTION_KEY; the first seals, all open. */
export interface EncryptionKeys {
  seal(secret: string, owner: SecretOwner): SealedSecret
  open(secret: SealedSecret, owner: SecretOwner): string
  /** Whether it was sealed with the first key. */
  isCurrent(secret: SealedSecret): boolean
}

/** A secret that cannot be read, or made. Its message says what is wrong with ENCRYPTION_KEY, and nothing of the secret. */
export class SealedSecretError extends Error {
  override readonly name = 'SealedSecretError'
}

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** 32 bytes in base64 or hexadecimal digits, or several such, separated by commas. Undefined when it is anything else. */
export function parseEncryptionKeys(text: string): Buffer[] | undefined {
  const keys = text.split(',').map((item) => parseKey(item.trim()))
  return keys.every((key) => key !== undefined) ? keys : undefined
}

function parseKey(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  const key = Buffer.from(text, 'base64')
  // Node's decoder skips what is no base64, so a key counts only if it reads back the same.
  const isWhole = key.toString('base64').replaceAll('=', '') === text.replace(/=+$/, '')
  return key.length === KEY_BYTES && isWhole ? key : undefined
}

/** @param text the setting ENCRYPTION_KEY, which was found right at the start */
export function createEncryptionKeys(text: string | undefined): EncryptionKeys {
  const keys = (text === undefined ? [] : (parseEncryptionKeys(text) ?? [])).map((key) => ({
    id: createHash('sha256').update('key id\0').update(key).digest('hex').slice(0, 16),
    key: Buffer.from(hkdfSync('sha256', key, '', 'campaign-manager-scim sealed secret v1', KEY_BYTES)),
  }))
  const [current] = keys
  return {
    seal(secret, owner) {
      if (!current) throw new SealedSecretError('ENCRYPTION_KEY is not set')
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', current.key, nonce).setAAD(bindingOf(owner))
      const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
      return { sealed: Buffer.concat([nonce, cipher.getAuthTag(), text]), keyId: current.id }
    },
    open({ sealed, keyId }, owner) {
      const found = keys.find(({ id }) => id === keyId)
      if (!found) {
        throw new SealedSecretError(
          keys.length === 0
            ? 'ENCRYPTION_KEY is not set'
            : `ENCRYPTION_KEY has no key with the id ${keyId}, with which it was encrypted`,
        )
      }
      return decrypt(found.key, sealed, owner)
    },
    isCurrent: ({ keyId }) => keyId === current?.id,
  }
}

function decrypt(key: Buffer, sealed: Buffer, owner: SecretOwner): string {
  const nonce = sealed.subarray(0, NONCE_BYTES)
  const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(bindingOf(owner)).setAuthTag(tag)
    const text = [decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]
    return Buffer.concat(text).toString('utf8')
  } catch (cause) {
    throw new SealedSecretError('what is stored was changed, or belongs to another tenant', { cause })
  }
}

const bindingOf = ({ tenantId, purpose }: SecretOwner): Buffer => Buffer.from(`${tenantId}\0${purpose}`)
