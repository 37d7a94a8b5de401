import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { expiredCursor, invalidCursor } from '../scim/error.ts'
import { CURSOR_TIMEOUT_SECONDS } from '../scim/page.ts'

export interface Cursors<Content> {
  /** A text of unreserved characters (RFC 3986 §2.3), which only this service can read or make. */
  seal(scope: string, content: Content): Promise<string>
  /** @param scope what the cursor was made for; for anything else it is no cursor */
  open(scope: string, cursor: string): Promise<Content>
}

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Cursors without a memory: whatever a next page needs is in the cursor, encrypted and authenticated, so that any process
 * with the key can go on, and none can be forged, altered or carried over to another tenant or query.
 *
 * @param key 32 bytes that all processes share
 */
export function createCursors<Content>(key: () => Promise<Buffer>, now: () => Date): Cursors<Content> {
  return {
    async seal(scope, content) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, await key(), nonce).setAAD(Buffer.from(scope))
      const text = JSON.stringify({ issued: now().getTime(), content })
      const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
      return Buffer.concat(sealed).toString('base64url')
    },
    async open(scope, cursor) {
      const { issued, content } = unseal(await key(), scope, cursor)
      if (now().getTime() > issued + CURSOR_TIMEOUT_SECONDS * 1000) {
        throw expiredCursor('the cursor has expired; begin with the first page again')
      }
      return content as Content
    },
  }
}

function unseal(key: Buffer, scope: string, cursor: string): { issued: number; content: unknown } {
  const bytes = Buffer.from(cursor, 'base64url')
  // Reading base64 forgives what it does not know; a cursor that was altered must not be forgiven.
  if (bytes.toString('base64url') !== cursor || bytes.length < NONCE_BYTES + TAG_BYTES) throw notOurs()
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(scope))
    .setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
    return JSON.parse(Buffer.concat([text, decipher.final()]).toString('utf8'))
  } catch (cause) {
    throw notOurs(cause)
  }
}

const notOurs = (cause?: unknown) =>
  invalidCursor('the cursor is not one that this query was answered with', { cause })
