import { pickOf, type Random } from './figures.ts'
import { type DrawDraft, type Header, parameter } from './fuzz-draft.ts'
import { hostileTexts } from './hostile-values.ts'
import { mutateJson, printJson } from './mutated-json.ts'

/** What is right, for clients that prove themselves. */
export interface OauthMaterial {
  readonly clientId: string
  readonly secret: string
  /** JWTs that prove another client. */
  readonly assertions: readonly string[]
  readonly claims: object
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const ALGORITHMS = ['RS256', 'RS256', 'RS256', 'ES256', 'PS256', 'none', 'HS256', '', 7, null]
const SIGNATURES = ['AAAA', Buffer.alloc(256).toString('base64url'), '', '!']

const base64url = (text: string): string => Buffer.from(text).toString('base64url')

/** A JWT that nobody has signed, with changed claims. */
export function forgedJwt(random: Random, claims: object): string {
  const header = { alg: pickOf<unknown>(random, ALGORITHMS), typ: 'JWT', kid: pickOf(random, hostileTexts) }
  const changed = random(4) === 0 ? mutateJson(random, header) : header
  const name = pickOf(random, ['iss', 'sub', 'aud', 'tid', 'exp', 'jti'])
  const claimed =
    random(2) === 0 ? mutateJson(random, claims) : { ...claims, [name]: pickOf(random, hostileTexts) }
  return [base64url(printJson(changed)), base64url(printJson(claimed)), pickOf(random, SIGNATURES)].join('.')
}

/** Draws requests for access tokens, right ones and wrong ones. */
export function oauthDraftsOf(random: Random, material: OauthMaterial): DrawDraft {
  const { clientId, secret, assertions, claims } = material

  function proof(): { form: [string, string][]; headers: Header[] } {
    const isRight = random(2) === 0
    const id = isRight ? clientId : pickOf(random, [clientId, ...hostileTexts])
    const word = isRight ? secret : pickOf(random, [secret, ...hostileTexts])
    switch (random(4)) {
      case 0:
        return { form: [], headers: [basic(id, word)] }
      case 1:
        return {
          form: [
            ['client_id', id],
            ['client_secret', word],
          ],
          headers: [],
        }
      case 2: {
        const assertion = isRight ? pickOf(random, assertions) : forgedJwt(random, claims)
        const named: [string, string][] = random(4) === 0 ? [['client_id', id]] : []
        return {
          form: [['client_assertion_type', ASSERTION_TYPE], ['client_assertion', assertion], ...named],
          headers: [],
        }
      }
      default:
        return { form: [['client_id', id]], headers: random(2) === 0 ? [basic(id, word)] : [] }
    }
  }

  return () => {
    const { form, headers } = proof()
    const grant = random(8) === 0 ? pickOf(random, hostileTexts) : 'client_credentials'
    const scope: [string, string][] = random(4) === 0 ? [['scope', pickOf(random, ['scim', 'x', ''])]] : []
    const pairs: [string, string][] = [['grant_type', grant], ...scope, ...form]
    return {
      method: 'POST',
      path: '/oauth2/token',
      query: [],
      headers: [['Content-Type', 'application/x-www-form-urlencoded'], ...headers],
      body: { text: pairs.map(([name, value]) => parameter(name, value)).join('&') },
    }
  }
}

const basic = (id: string, secret: string): Header => [
  'Authorization',
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
]
