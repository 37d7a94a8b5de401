import type { Test } from 'tap'
import { createClient, type NewClient } from '../../src/access/oauth-clients.ts'
import { scimClient } from '../support/scim-client.ts'
import { startTestService, type TestServiceOptions } from '../support/service.ts'

export interface TokenAnswer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  readonly body: any
}

export const basic = (id: string, secret: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
})

export const GRANT = { grant_type: 'client_credentials' }

/** A service, and what its clients do. */
export async function setup(t: Test, options: TestServiceOptions = {}) {
  const service = await startTestService(t, options)
  const { db } = service.database

  async function token(
    form: Record<string, string> | string,
    headers: Record<string, string> = {},
  ): Promise<TokenAnswer> {
    const response = await fetch(`${service.url}/oauth2/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: JSON.parse(text) }
  }

  async function client(more: Partial<NewClient> = {}): Promise<{ id: string; secret: string }> {
    const created = await createClient(db, {
      tenant: 'default',
      name: 'entra',
      access: 'write',
      proof: { secretDays: 365 },
      ...more,
    })
    if ('refused' in created) throw new Error(created.refused)
    return { id: created.clientId, secret: created.secret ?? '' }
  }

  return {
    ...service,
    db,
    token,
    client,
    /** An access token for a client. */
    async access({ id, secret }: { id: string; secret: string }): Promise<string> {
      const { status, body } = await token(GRANT, basic(id, secret))
      if (status !== 200) throw new Error(JSON.stringify(body))
      return body.access_token
    },
    /** A SCIM client with this token. */
    as: (accessToken: string) => scimClient(service.url, accessToken),
    /** The count of refusals for this reason. */
    async failures(reason: string): Promise<number> {
      const text = await (await fetch(`${service.url}/metrics`)).text()
      const line = new RegExp(`auth_failures_total\\{reason="${reason}"\\} (\\d+)`).exec(text)
      return Number(line?.[1] ?? 0)
    },
  }
}
