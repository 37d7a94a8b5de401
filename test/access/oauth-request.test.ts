import t from 'tap'
import type { OauthErrorCode } from '../../src/access/oauth-error.ts'
import { readTokenRequest } from '../../src/access/oauth-request.ts'

const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
const GRANT = 'grant_type=client_credentials'
const ASSERTED = `${GRANT}&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer`

t.test('ways for a client to prove itself', async (t) => {
  t.strictSame(readTokenRequest(GRANT, basic('id', 'secret')), { clientId: 'id', secret: 'secret' })
  t.strictSame(
    readTokenRequest(`${GRANT}&client_id=id&scope=scim`, basic('id', 'a%3Ab+c:%2B')),
    { clientId: 'id', secret: 'a:b c:+' },
    'RFC 6749 §2.3.1: both are form-encoded within Basic; the same client_id beside it is no other way',
  )
  t.strictSame(readTokenRequest(`${GRANT}&client_id=id&client_secret=s%26+`, undefined), {
    clientId: 'id',
    secret: 's& ',
  })
  t.strictSame(readTokenRequest(`${ASSERTED}&client_assertion=a.b.c`, undefined), {
    clientId: undefined,
    assertion: 'a.b.c',
  })
  t.strictSame(
    readTokenRequest(`${GRANT}&client_id=id&client_secret=s&client_assertion=&unknown=1&`, undefined),
    { clientId: 'id', secret: 's' },
    'RFC 6749 §3.2: an empty parameter is one left out, an unknown one is ignored',
  )
})

t.test('requests that are refused', async (t) => {
  const cases: [body: string, authorization: string | undefined, code: OauthErrorCode, message: RegExp][] = [
    ['', undefined, 'invalid_request', /^grant_type is missing$/],
    ['{"grant_type":"client_credentials"}', undefined, 'invalid_request', /^grant_type is missing$/],
    ['grant_type=password', basic('a', 'b'), 'unsupported_grant_type', /must be client_credentials/],
    [`${GRANT}&${GRANT}`, basic('a', 'b'), 'invalid_request', /more than once/],
    [`${GRANT}&scope=scim&scope=`, basic('a', 'b'), 'invalid_request', /more than once/],
    [`${GRANT}&client_id=a&client%5Fid=b&client_secret=c`, undefined, 'invalid_request', /more than once/],
    [`${GRANT}&scope=%zz`, basic('a', 'b'), 'invalid_request', /not properly encoded/],
    [`${GRANT}&scope=%ff`, basic('a', 'b'), 'invalid_request', /not properly encoded/],
    [`${GRANT}&scope=admin`, basic('a', 'b'), 'invalid_scope', /only scope is scim/],
    [`${GRANT}&scope=scim+admin`, basic('a', 'b'), 'invalid_scope', /only scope is scim/],
    [`${GRANT}&client_secret=b`, basic('a', 'b'), 'invalid_request', /more than one way/],
    [`${ASSERTED}&client_assertion=x`, basic('a', 'b'), 'invalid_request', /more than one way/],
    [
      `${ASSERTED}&client_assertion=x&client_id=a&client_secret=b`,
      undefined,
      'invalid_request',
      /more than one way/,
    ],
    [`${GRANT}&client_id=x`, basic('a', 'b'), 'invalid_request', /client_id differs/],
    [`${GRANT}&client_assertion=x`, undefined, 'invalid_request', /client_assertion_type must be/],
    [
      `${GRANT}&client_assertion=x&client_assertion_type=saml`,
      undefined,
      'invalid_request',
      /client_assertion_type must be/,
    ],
    [ASSERTED, undefined, 'invalid_request', /client_assertion is missing/],
    [GRANT, undefined, 'invalid_client', /could not be authenticated/],
    [`${GRANT}&client_id=a`, undefined, 'invalid_client', /could not be authenticated/],
    [GRANT, 'Bearer x', 'invalid_client', /could not be authenticated/],
    [GRANT, 'Basic', 'invalid_client', /could not be authenticated/],
    [GRANT, 'Basic !!!', 'invalid_client', /could not be authenticated/],
    [GRANT, basic('', 'b'), 'invalid_client', /could not be authenticated/],
    [GRANT, basic('a', ''), 'invalid_client', /could not be authenticated/],
    [GRANT, basic('a', '%zz'), 'invalid_client', /could not be authenticated/],
    [GRANT, `Basic ${Buffer.from('nocolon').toString('base64')}`, 'invalid_client', /could not be/],
  ]
  for (const [body, authorization, code, message] of cases) {
    t.throws(
      () => readTokenRequest(body, authorization),
      { name: 'OauthError', code, message },
      `${body} ${authorization}`,
    )
  }
})
