import type { Test } from 'tap'
import type { ScimRequest } from '../support/scim-client.ts'
import { userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'
import { tenantOf } from './setup.ts'

const IN_FLIGHT = 100

/**
 * Two tenants at once, 100 requests in flight each: nothing of one is in the other's answers.
 *
 * @param users how many each creates, and looks up
 */
export async function twoTenantsAtOnce(t: Test, users: number): Promise<void> {
  const service = await startTestService(t)
  const tenants = { red: await tenantOf(service, 'red'), blue: await tenantOf(service, 'blue') }
  const strangers: string[] = []
  const failures: string[] = []

  /** Both tenants use the same userNames, so that one's answer to a look-up would fit the other's question. */
  async function run(own: string, other: string, scim: ScimRequest): Promise<string[]> {
    const ids: string[] = []
    let next = 0
    const look = async (method: string, path: string, status: number, body?: object) => {
      const answer = await scim(method, path, body)
      if (answer.status !== status) failures.push(`${own} ${method} ${path}: ${answer.status}`)
      if (JSON.stringify(answer.body ?? '').includes(`mark-${other}`))
        strangers.push(`${own} ${method} ${path}`)
      return answer.body
    }
    async function client(): Promise<void> {
      for (let n = next++; n < users; n = next++) {
        const created = await look(
          'POST',
          '/Users',
          201,
          userBody(`user-${n}`, { displayName: `mark-${own}`, externalId: `mark-${own}-${n}` }),
        )
        ids.push(created.id)
        const filter = encodeURIComponent(`userName eq "user-${n}@example.com"`)
        const found = await look('GET', `/Users?filter=${filter}`, 200)
        if (found.totalResults !== 1 || found.Resources[0]?.id !== created.id)
          failures.push(`${own} found ${n}`)
        if (n % 20 === 0) await look('GET', '/Users?count=50', 200)
        if (n % 10 === 0) await look('GET', `/Users?filter=externalId sw "mark-${other}"`, 200)
      }
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, client))
    return ids
  }

  const [red, blue] = await Promise.all([
    run('red', 'blue', tenants.red.scim),
    run('blue', 'red', tenants.blue.scim),
  ])
  t.strictSame(failures, [])
  t.strictSame(strangers, [])
  t.equal(new Set([...red, ...blue]).size, 2 * users, 'no id is given twice')
  for (const [scim, own, others] of [
    [tenants.red.scim, red, blue],
    [tenants.blue.scim, blue, red],
  ] as const) {
    t.equal((await scim('GET', '/Users?count=0')).body.totalResults, own.length)
    for (const id of others.slice(0, 20)) t.equal((await scim('GET', `/Users/${id}`)).status, 404)
  }
}
