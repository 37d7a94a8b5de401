import type { FastifyInstance } from 'fastify'
import { invalidSyntax, ScimError } from '../scim/error.ts'

/** RFC 7644 §3.8 and §3.1: the one media type for both directions, and plain JSON on the way in. */
export const SCIM_MEDIA_TYPE = 'application/scim+json'

/** No SCIM resource nests deeper than an attribute's sub-attribute's value; the rest is slack. */
const MAX_DEPTH = 32

/**
 * Bodies of SCIM requests. The framework's own JSON parser is kept for its guard against keys that reach an object's
 * prototype, which a parser made by hand would lose.
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
      const text = decodeUtf8(bytes)
      if (text === undefined) return done(invalidSyntax('the body is not valid UTF-8'))
      // A DELETE with a Content-Type and no body is fine: nothing was sent, so nothing is malformed.
      if (text === '' && request.method === 'DELETE') return done(null, undefined)
      const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(request.headers['content-type'] ?? '')?.[1]
      if (charset !== undefined && !/^utf-?8$/i.test(charset)) {
        return done(new ScimError(415, undefined, `the charset must be UTF-8, not '${charset}'`))
      }
      parseJson(request, text, (error, body) => {
        if (error) return done(error)
        if (isTooDeep(body)) return done(invalidSyntax(`the body nests deeper than ${MAX_DEPTH} levels`))
        done(null, body)
      })
    },
  )
}

/** Undefined for what is not UTF-8: read leniently, two names could become one. */
function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Level by level, because a recursion would itself be at the mercy of the depth. */
function isTooDeep(body: unknown): boolean {
  let level: unknown[] = [body]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return true
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null
        ? Object.values(value).filter((inner) => typeof inner === 'object' && inner !== null)
        : [],
    )
  }
  return false
}
