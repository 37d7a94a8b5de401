import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import type { Database } from '../../src/db/tables.ts'
import { createSandbox } from '../../src/sandbox/server.ts'
import { type CampaignManagerProxy, startCampaignManagerProxy } from '../support/campaign-manager-proxy.ts'
import {
  CAMPAIGN_MANAGER_TOKEN,
  startTestService,
  type TestService,
  type TestServiceOptions,
} from '../support/service.ts'

export interface ProxiedService extends TestService {
  readonly proxy: CampaignManagerProxy
}

/** A service that reaches its Campaign Manager by way of a proxy. */
export async function startProxiedService(
  t: Test,
  { env, roles }: Pick<TestServiceOptions, 'env' | 'roles'> = {},
): Promise<ProxiedService> {
  const sandbox = createSandbox({ now: systemClock.now, token: CAMPAIGN_MANAGER_TOKEN, roles })
  const url = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => sandbox.close())
  const proxy = await startCampaignManagerProxy(t, url)
  const service = await startTestService(t, { env: { ...env, CAMPAIGN_MANAGER_URL: proxy.url } })
  return {
    ...service,
    sandbox,
    proxy,
    accounts: () => Object.fromEntries(sandbox.state.users().map(({ email, roles }) => [email, [...roles]])),
  }
}

/** Dirty accounts of deleted users, which need no users, and are enough to be claimed. */
export async function insertDirty(db: Kysely<Database>, count: number): Promise<string[]> {
  const { rows } = await sql<{ user_id: string }>`
    with added as (
      insert into account (tenant_id, user_id, standing)
      select 1, gen_random_uuid(), 'deleted' from generate_series(1, ${count}::integer)
      returning tenant_id, user_id
    )
    insert into dirty_user (tenant_id, user_id) select tenant_id, user_id from added returning user_id`.execute(
    db,
  )
  return rows.map((row) => row.user_id)
}
