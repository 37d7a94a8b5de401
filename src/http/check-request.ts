import type { FastifyRequest } from 'fastify'
import { invalidFilter, invalidSyntax, invalidValue, ScimError } from '../scim/error.ts'
import { MAX_QUERY_PARAMETERS, MAX_URL_LENGTH } from './edge-limits.ts'

/** Headers that mean one thing: of two, another server on the way may have believed the other one (RFC 9110 §5.3). */
const SINGLE = ['host', 'content-type', 'if-match', 'if-none-match'] as const

/** Refuses what two readers could understand differently, or nobody needs, before anything else looks at the request. */
export function checkRequest({ raw, query }: Pick<FastifyRequest, 'raw' | 'query'>): void {
  if (raw.httpVersion === '1.1' && raw.headers.host === undefined) {
    throw invalidSyntax('the Host header is missing')
  }
  for (const name of SINGLE) {
    if ((raw.headersDistinct[name]?.length ?? 0) > 1)
      throw invalidSyntax(`the header ${name} is given more than once`)
  }
  const url = raw.url ?? ''
  if (url.length > MAX_URL_LENGTH) {
    throw new ScimError(
      414,
      undefined,
      `the URL is longer than ${MAX_URL_LENGTH} characters; POST to /.search takes longer queries`,
    )
  }
  const mark = url.indexOf('?')
  if (mark !== -1 && !isProperlyEncoded(url.slice(mark + 1))) {
    throw invalidValue('the query of the URL is not properly percent-encoded UTF-8')
  }
  checkParameters(query as Readonly<Record<string, unknown>>)
}

/** ASVS 15.3.7: a parameter that is given twice has no value that all readers agree on. */
function checkParameters(query: Readonly<Record<string, unknown>>): void {
  const names = Object.keys(query)
  if (names.length > MAX_QUERY_PARAMETERS) {
    throw invalidValue(`the URL has more than ${MAX_QUERY_PARAMETERS} parameters`)
  }
  for (const name of names) {
    if (!Array.isArray(query[name])) continue
    const fault = `${name} is given more than once`
    throw name === 'filter' ? invalidFilter(fault) : invalidValue(fault)
  }
}

function isProperlyEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
