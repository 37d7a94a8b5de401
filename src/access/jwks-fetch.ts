import { Agent, request } from 'undici'
import { isKeyUrl } from './jwks-url.ts'

/** An identity provider's keys cannot be had just now. The token that needs them may well be right. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable'
}

export type FetchJson = (url: string) => Promise<unknown>

const TIMEOUT_MS = 5000
/** Entra's own answers have less than 20 KiB. */
const LARGEST_ANSWER = 256 * 1024

// Asked about once an hour, so a connection is not worth keeping. An Agent alone follows no redirect.
const agent = new Agent({ maxResponseSize: LARGEST_ANSWER, connect: { timeout: TIMEOUT_MS }, pipelining: 0 })

/** Gets a small JSON document. Whatever goes wrong is `KeysUnavailable`. */
export async function fetchJson(url: string, timeoutMs = TIMEOUT_MS): Promise<unknown> {
  if (!isKeyUrl(url)) throw new KeysUnavailable(`keys are not fetched from ${url}: it is no https URL`)
  try {
    const { statusCode, body } = await request(url, {
      dispatcher: agent,
      headers: { accept: 'application/json', 'user-agent': 'campaign-manager-scim' },
      signal: AbortSignal.timeout(timeoutMs),
    })
    const text = await body.text()
    if (statusCode !== 200) throw new KeysUnavailable(`${url} answered ${statusCode}`)
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof KeysUnavailable) throw error
    throw new KeysUnavailable(`${url} gave no JSON document`, { cause: error })
  }
}
