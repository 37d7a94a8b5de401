import { invalidClient, invalidRequest, OauthError } from './oauth-error.ts'

/** How a client says who it is (RFC 6749 §2.3.1, RFC 7523 §2.2). */
export type ClientProof =
  | { readonly clientId: string; readonly secret: string }
  | { readonly clientId: string | undefined; readonly assertion: string }

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
export const GRANT_TYPE = 'client_credentials'
export const SCOPE = 'scim'

/**
 * Reads a request for an access token, as far as that needs nobody else.
 *
 * @param body application/x-www-form-urlencoded
 */
export function readTokenRequest(body: string, authorization: string | undefined): ClientProof {
  const form = readForm(body)
  const basic = authorization === undefined ? undefined : readBasic(authorization)
  const grantType = form.get('grant_type')
  if (grantType === undefined) throw invalidRequest('grant_type is missing')
  if (grantType !== GRANT_TYPE) {
    throw new OauthError('unsupported_grant_type', `the grant_type must be ${GRANT_TYPE}`)
  }
  checkScope(form.get('scope'))
  return readProof(form, basic)
}

/** RFC 6749 §3.2: no parameter twice, and one without a value counts as left out. */
function readForm(body: string): ReadonlyMap<string, string> {
  const form = new Map<string, string>()
  const seen = new Set<string>()
  for (const pair of body.split('&')) {
    const at = pair.indexOf('=')
    const name = formDecode(at < 0 ? pair : pair.slice(0, at))
    const value = formDecode(at < 0 ? '' : pair.slice(at + 1))
    if (name === undefined || value === undefined) throw invalidRequest('the form is not properly encoded')
    if (name === '' && value === '') continue
    if (seen.has(name)) throw invalidRequest('a parameter is given more than once')
    seen.add(name)
    if (value !== '') form.set(name, value)
  }
  return form
}

/** RFC 6749 appendix B. Undefined for what is not encoded so. */
function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/** Any scheme but Basic is a client that tries to prove itself by what is not offered. */
function readBasic(authorization: string): { clientId: string; secret: string } {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1]
  const pair = Buffer.from(encoded ?? '', 'base64').toString()
  const colon = pair.indexOf(':')
  const clientId = formDecode(pair.slice(0, Math.max(colon, 0)))
  const secret = formDecode(pair.slice(colon + 1))
  if (!clientId || !secret) throw invalidClient('malformed')
  return { clientId, secret }
}

/** RFC 6749 §3.3: names separated by a space. There is one, and leaving it out means it. */
function checkScope(scope: string | undefined): void {
  if (scope === undefined || scope.split(' ').every((name) => name === SCOPE)) return
  throw new OauthError('invalid_scope', `the only scope is ${SCOPE}`)
}

/** RFC 6749 §2.3: one way of proving oneself in one request. A client_id beside it is no second one. */
function readProof(
  form: ReadonlyMap<string, string>,
  basic: { clientId: string; secret: string } | undefined,
): ClientProof {
  const clientId = form.get('client_id')
  const secret = form.get('client_secret')
  const assertion = form.get('client_assertion')
  const assertionType = form.get('client_assertion_type')
  const ways = [basic, secret, assertion ?? assertionType].filter((way) => way !== undefined)
  if (ways.length > 1) throw invalidRequest('the client is authenticated in more than one way')
  if (basic) {
    if (clientId !== undefined && clientId !== basic.clientId) {
      throw invalidRequest('client_id differs from the Authorization header')
    }
    return basic
  }
  if (assertionType !== undefined || assertion !== undefined) {
    if (assertionType !== ASSERTION_TYPE)
      throw invalidRequest(`client_assertion_type must be ${ASSERTION_TYPE}`)
    if (assertion === undefined) throw invalidRequest('client_assertion is missing')
    return { clientId, assertion }
  }
  if (clientId === undefined || secret === undefined) throw invalidClient('missing')
  return { clientId, secret }
}
