import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import type { Test } from 'tap'

export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  readonly jwk: JWK
}

export async function createSigningKey(kid: string, alg = 'RS256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig' } }
}

/** A token of these claims, as they are. */
export const sign = (key: SigningKey, claims: object, header: object = {}): Promise<string> =>
  new SignJWT({ ...claims })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })
    .sign(key.privateKey)

export interface KeyServerAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text as it is, anything else as JSON; undefined is never answered. */
  readonly body?: unknown
}

export interface KeyServer {
  readonly url: string
  /** The paths that were asked for, in order. */
  readonly requests: string[]
  readonly answers: Map<string, KeyServerAnswer>
  /** Serves an issuer's discovery document at `${path}/.well-known/openid-configuration` and its keys at `${path}/keys`. */
  publish(path: string, issuer: string, keys: readonly SigningKey[]): void
}

/** An identity provider as far as its keys go. */
export async function startKeyServer(t: Test): Promise<KeyServer> {
  const requests: string[] = []
  const answers = new Map<string, KeyServerAnswer>()
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    requests.push(path)
    const { status = 200, headers = {}, body } = answers.get(path) ?? { status: 404, body: {} }
    if (body === undefined) return
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    requests,
    answers,
    publish(path, issuer, keys) {
      answers.set(`${path}/.well-known/openid-configuration`, {
        body: { issuer, jwks_uri: `${url}${path}/keys` },
      })
      answers.set(`${path}/keys`, { body: { keys: keys.map(({ jwk }) => jwk) } })
    },
  }
}
