import { type Kysely, sql } from 'kysely'
import type { Clock } from '../clock.ts'
import type { Database } from '../db/tables.ts'
import {
  createKeySource,
  discoveryUrl,
  jwksAt,
  jwksByDiscovery,
  type KeySource,
  keepSources,
} from './jwks.ts'
import type { FetchJson } from './jwks-fetch.ts'
import { checkLifetime, checkTimes, type Jwt, readJwt, verify } from './jwks-signed.ts'
import { invalidClient } from './oauth-error.ts'
import type { ClientProof } from './oauth-request.ts'
import { isClientId } from './oauth-secrets.ts'
import { sameHash, sha256 } from './token.ts'

export interface KnownClient {
  readonly tenantId: number
  readonly clientId: string
  /** The secret that proved it, by its hash; none when an assertion did. */
  readonly secretHash: Buffer | undefined
}

/** The keys of an issuer: at the address, or where the issuer's discovery document says. */
export type FindKeys = (issuer: string, jwksUrl: string | undefined) => KeySource

export function createFindKeys(fetchJson: FetchJson, now: Clock['now']): FindKeys {
  const at = keepSources((url) => createKeySource(jwksAt(url, fetchJson), now))
  const discovered = keepSources((issuer) => {
    const load = jwksByDiscovery(discoveryUrl(issuer), (named) => named === issuer, fetchJson)
    return createKeySource(load, now)
  })
  return (issuer, jwksUrl) => (jwksUrl === undefined ? discovered(issuer) : at(jwksUrl))
}

export interface ClientAuthentication {
  readonly db: Kysely<Database>
  readonly findKeys: FindKeys
  readonly now: Clock['now']
}

/** Tells which client this is; refuses with `invalid_client`. */
export const authenticateClient = (parts: ClientAuthentication, proof: ClientProof): Promise<KnownClient> =>
  'secret' in proof
    ? bySecret(parts.db, proof.clientId, proof.secret)
    : byAssertion(parts, proof.clientId, proof.assertion)

async function bySecret(db: Kysely<Database>, clientId: string, secret: string): Promise<KnownClient> {
  if (!isClientId(clientId)) throw invalidClient('unknown')
  const rows = await db
    .selectFrom('oauth_client')
    .innerJoin('oauth_client_secret as secret', (join) =>
      join
        .onRef('secret.tenant_id', '=', 'oauth_client.tenant_id')
        .onRef('secret.client_id', '=', 'oauth_client.client_id'),
    )
    .select([
      'oauth_client.tenant_id',
      'oauth_client.revoked_at',
      'secret.secret_hash',
      sql<boolean>`secret.expires_at <= now()`.as('expired'),
    ])
    .where('oauth_client.client_id', '=', clientId)
    .execute()
  const hash = sha256(secret)
  const row = rows.find(({ secret_hash }) => sameHash(hash, secret_hash))
  if (!row) throw invalidClient('unknown')
  if (row.revoked_at) throw invalidClient('revoked')
  if (row.expired) throw invalidClient('expired')
  return { tenantId: row.tenant_id, clientId, secretHash: hash }
}

/** Never an algorithm with a shared key: whoever can check such a signature can make one. */
export const ASSERTION_ALGORITHMS = ['RS256', 'PS256', 'ES256'] as const
/** RFC 7515 §4.1.9. Others are tokens for something else (RFC 8725 §3.11); Entra and most others say JWT, some nothing. */
const ASSERTION_TYPES: readonly unknown[] = [undefined, 'jwt', 'client-authentication+jwt']

/** Something to look for: Postgres takes no NUL. */
const isText = (claim: unknown): claim is string =>
  typeof claim === 'string' && claim !== '' && !claim.includes('\0')

/**
 * RFC 7523 §3. The client is looked for by what the assertion says, and the assertion then believed only as far as that
 * client's issuer has signed it. A `jti` is not remembered: the RFC leaves it open, and Entra sends one assertion until it
 * expires.
 */
async function byAssertion(
  { db, findKeys, now }: ClientAuthentication,
  clientId: string | undefined,
  assertion: string,
): Promise<KnownClient> {
  const jwt = readJwt(assertion)
  if (!jwt || !ASSERTION_TYPES.includes(typeOf(jwt))) throw invalidClient('malformed')
  const { iss, sub } = jwt.claims
  if (!isText(iss)) throw invalidClient('issuer')
  if (!isText(sub)) throw invalidClient('subject')
  if (clientId !== undefined && !isClientId(clientId)) throw invalidClient('unknown')
  const client = await findFederated(db, clientId, iss, sub)
  if (iss !== client.federated_issuer) throw invalidClient('issuer')
  if (sub !== client.federated_subject) throw invalidClient('subject')
  if (!isFor(jwt, client.federated_audiences ?? [])) throw invalidClient('audience')
  const failure =
    (await verify(jwt, ASSERTION_ALGORITHMS, findKeys(iss, client.jwks_url ?? undefined))) ??
    checkTimes(jwt, now()) ??
    checkLifetime(jwt, now())
  if (failure) throw invalidClient(failure)
  return { tenantId: client.tenant_id, clientId: client.client_id, secretHash: undefined }
}

async function findFederated(
  db: Kysely<Database>,
  clientId: string | undefined,
  issuer: string,
  subject: string,
) {
  const clients = db
    .selectFrom('oauth_client')
    .select([
      'tenant_id',
      'client_id',
      'revoked_at',
      'federated_issuer',
      'federated_subject',
      'federated_audiences',
      'jwks_url',
    ])
  const client = await (clientId === undefined
    ? clients
        .where('federated_issuer', '=', issuer)
        .where('federated_subject', '=', subject)
        .orderBy('revoked_at', (order) => order.desc().nullsFirst())
    : clients.where('client_id', '=', clientId)
  ).executeTakeFirst()
  if (!client) throw invalidClient('unknown')
  if (client.revoked_at) throw invalidClient('revoked')
  // A client with secrets proves itself by nothing else.
  if (client.federated_issuer === null) throw invalidClient('issuer')
  return client
}

const typeOf = ({ header }: Jwt): unknown =>
  typeof header.typ === 'string' ? header.typ.toLowerCase().replace(/^application\//, '') : header.typ

/** One audience, alone or as a list of one: what is meant for others as well, others can use here. */
function isFor({ claims: { aud } }: Jwt, audiences: readonly string[]): boolean {
  const audience: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
  return typeof audience === 'string' && audiences.includes(audience)
}
