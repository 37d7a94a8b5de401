import type { Clock } from '../clock.ts'
import { createKeySource, jwksByDiscovery, type KeySource, keepSources } from './jwks.ts'
import type { FetchJson } from './jwks-fetch.ts'

export const PUBLIC_AUTHORITY = 'https://login.microsoftonline.com'

/**
 * The keys of a directory's issuer, undefined when the directory has no issuer of that name. Each has two: the one of
 * tokens of version 1 has a name of its own, which the public cloud's is known of and elsewhere the discovery document says.
 */
export type FindEntraKeys = (entraTenantId: string, issuer: string) => Promise<KeySource | undefined>

export function createFindEntraKeys(
  authority: string,
  fetchJson: FetchJson,
  now: Clock['now'],
): FindEntraKeys {
  const v2Issuer = (id: string) => `${authority}/${id}/v2.0`
  const publicV1Issuer = (id: string) => `https://sts.windows.net/${id}/`

  const source = (documentUrl: string, isIssuer: (issuer: string) => boolean): KeySource =>
    createKeySource(jwksByDiscovery(documentUrl, isIssuer, fetchJson), now)
  const v1 = keepSources((id) =>
    source(`${authority}/${id}/.well-known/openid-configuration`, (issuer) =>
      authority === PUBLIC_AUTHORITY ? issuer === publicV1Issuer(id) : issuer.endsWith(`/${id}/`),
    ),
  )
  const v2 = keepSources((id) =>
    source(`${v2Issuer(id)}/.well-known/openid-configuration`, (issuer) => issuer === v2Issuer(id)),
  )

  return async (id, issuer) => {
    if (issuer === v2Issuer(id)) return v2(id)
    if (authority === PUBLIC_AUTHORITY && issuer !== publicV1Issuer(id)) return undefined
    const keys = v1(id)
    return (await keys.issuer()) === issuer ? keys : undefined
  }
}
