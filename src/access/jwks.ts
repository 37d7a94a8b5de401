import { type CryptoKey, createLocalJWKSet, errors, type JSONWebKeySet, type JWSHeaderParameters } from 'jose'
import type { Clock } from '../clock.ts'
import { type FetchJson, KeysUnavailable } from './jwks-fetch.ts'

/** The keys of one issuer, as last fetched. */
export interface KeySource {
  /** What the issuer calls itself; undefined for keys that were not found by discovery. */
  issuer(): Promise<string | undefined>
  /** Undefined when the issuer has no such key. Fails with `KeysUnavailable` when that cannot be found out. */
  find(header: JWSHeaderParameters): Promise<CryptoKey | undefined>
}

interface Keys {
  readonly issuer: string | undefined
  readonly pick: ReturnType<typeof createLocalJWKSet>
}

const FRESH_MS = 60 * 60_000
/** Between two fetches, whatever asks for them: a made-up key id must not become a request each. */
const COOL_DOWN_MS = 30_000
/** Keys that were good go on being so while newer ones cannot be fetched. Microsoft asks for a look once a day. */
const LAST_KNOWN_GOOD_MS = 24 * 60 * 60_000

/** Keeps what `load` gets. */
export function createKeySource(load: () => Promise<Keys>, now: Clock['now']): KeySource {
  let current: { readonly keys: Keys; readonly since: number } | undefined
  let attempt: { readonly at: number; failure?: unknown } | undefined
  let pending: Promise<void> | undefined

  const isYounger = (age: number): boolean => current !== undefined && now().getTime() - current.since < age

  async function fetchAnew(): Promise<void> {
    const mine: { readonly at: number; failure?: unknown } = { at: now().getTime() }
    attempt = mine
    try {
      current = { keys: await load(), since: mine.at }
    } catch (error) {
      mine.failure = error
    }
  }

  /** All who wait share one fetch; within the cool-down there is none. */
  async function refresh(): Promise<void> {
    const isCooling = attempt !== undefined && now().getTime() - attempt.at < COOL_DOWN_MS
    if (!pending && isCooling) return
    pending ??= fetchAnew().finally(() => {
      pending = undefined
    })
    await pending
  }

  async function keys(): Promise<Keys> {
    if (!isYounger(FRESH_MS)) await refresh()
    if (current && isYounger(LAST_KNOWN_GOOD_MS)) return current.keys
    throw unavailable(attempt?.failure)
  }

  return {
    issuer: async () => (await keys()).issuer,
    async find(header) {
      const key = await pick(await keys(), header)
      if (key) return key
      await refresh()
      const found = await pick(await keys(), header)
      if (!found && attempt?.failure !== undefined) throw unavailable(attempt.failure)
      return found
    },
  }
}

const unavailable = (cause: unknown): KeysUnavailable =>
  cause instanceof KeysUnavailable ? cause : new KeysUnavailable('the keys cannot be fetched', { cause })

async function pick(keys: Keys, header: JWSHeaderParameters): Promise<CryptoKey | undefined> {
  try {
    return await keys.pick(header)
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return undefined
    // No key id, and several keys: there is nothing to choose by.
    if (error instanceof errors.JWKSMultipleMatchingKeys) return undefined
    throw new KeysUnavailable('a key of the issuer cannot be used', { cause: error })
  }
}

/** Keys at a place that is known. */
export const jwksAt = (url: string, fetchJson: FetchJson) => async (): Promise<Keys> => ({
  issuer: undefined,
  pick: keySet(url, await fetchJson(url)),
})

/** Keys where the issuer's own document says (OpenID Connect Discovery 1.0 §4). */
export const jwksByDiscovery =
  (documentUrl: string, isIssuer: (issuer: string) => boolean, fetchJson: FetchJson) =>
  async (): Promise<Keys> => {
    const { issuer, jwks_uri: url } = ((await fetchJson(documentUrl)) ?? {}) as Record<string, unknown>
    if (typeof issuer !== 'string' || typeof url !== 'string') {
      throw new KeysUnavailable(`${documentUrl} names no issuer and jwks_uri`)
    }
    // §4.3: or it describes somebody else.
    if (!isIssuer(issuer)) throw new KeysUnavailable(`${documentUrl} is about the issuer ${issuer}`)
    if (documentUrl.startsWith('https:') && !url.startsWith('https:')) {
      throw new KeysUnavailable(`${documentUrl} names keys that are not at an https URL`)
    }
    return { issuer, pick: keySet(url, await fetchJson(url)) }
  }

/** One source for each name, made when first asked for; who asks sees to it that names are not made up by clients. */
export function keepSources(make: (name: string) => KeySource): (name: string) => KeySource {
  const sources = new Map<string, KeySource>()
  return (name) => {
    const source = sources.get(name) ?? make(name)
    sources.set(name, source)
    return source
  }
}

export const discoveryUrl = (issuer: string): string =>
  `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`

function keySet(url: string, document: unknown): Keys['pick'] {
  try {
    return createLocalJWKSet(document as JSONWebKeySet)
  } catch (error) {
    throw new KeysUnavailable(`${url} has no set of keys`, { cause: error })
  }
}
