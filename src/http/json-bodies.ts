import type { FastifyInstance } from 'fastify'
import { invalidSyntax, ScimError } from '../scim/error.ts'
import { reservedKey, shapeFault } from './body-shape.ts'

/** RFC 7644 §3.8 and §3.1: the one media type for both directions, and plain JSON on the way in. */
export const SCIM_MEDIA_TYPE = 'application/scim+json'

/**
 * Bodies of SCIM requests: one parser, whatever the Content-Type looks like, so that no spelling of it gets past a check.
 * The framework's own JSON parser is kept for its guard against keys that reach an object's prototype.
 */
export function acceptJsonBodies(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    [SCIM_MEDIA_TYPE, 'application/json'],
    { parseAs: 'buffer' },
    (request, bytes: Buffer, done) => {
      const encoding = request.headers['content-encoding'] ?? 'identity'
      if (encoding.toLowerCase() !== 'identity') {
        return done(new ScimError(415, undefined, `a body in the encoding '${encoding}' is not understood`))
      }
      const charset = otherCharset(request.headers['content-type'])
      if (charset !== undefined) {
        return done(new ScimError(415, undefined, `the charset must be UTF-8, not '${charset}'`))
      }
      const text = decodeUtf8(bytes)
      if (text === undefined) return done(invalidSyntax('the body is not valid UTF-8'))
      // A DELETE with a Content-Type and no body is fine: nothing was sent, so nothing is malformed.
      if (text === '' && request.method === 'DELETE') return done(null, undefined)
      const fault = shapeFault(bytes)
      if (fault !== undefined) return done(invalidSyntax(fault))
      parseJson(request, text, (error, body) => {
        if (error) return done(error)
        const reserved = reservedKey(body)
        if (reserved !== undefined) return done(invalidSyntax(`no attribute is called '${reserved}'`))
        done(null, body)
      })
    },
  )
}

/** The first charset that a Content-Type names and that is not UTF-8. */
function otherCharset(contentType = ''): string | undefined {
  const charsets = contentType.matchAll(/;\s*charset\s*=\s*"?([^\s;"]*)/gi)
  return [...charsets].map(([, charset = '']) => charset).find((charset) => !/^utf-?8$/i.test(charset))
}

/** Undefined for what is not UTF-8: read leniently, two names could become one. */
function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}
