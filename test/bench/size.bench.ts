// What a request of Entra costs in a tenant of 50,000, as a multiple of what it costs in one of 100, on one database.
import { sql } from 'kysely'
import t from 'tap'
import { addMembers, patchBody, removeMembers, type ScimRequest, userBody } from '../support/scim-client.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { compare } from './compare.ts'
import { tenantWithGroup } from './tenant-with-group.ts'

t.setTimeout(1_800_000)

const SMALL = 100
const LARGE = 50_000
const ROUNDS = 60
const AT_MOST = 2

interface Tenant {
  readonly scim: ScimRequest
  readonly group: string
  readonly member: string
}

async function tenantWith(service: TestService, name: string, members: number): Promise<Tenant> {
  const { scim, groupId } = await tenantWithGroup(service, name, members)
  const member = (await scim('POST', '/Users', userBody('somebody'))).body.id
  return { scim, group: `/Groups/${groupId}`, member }
}

let created = 0

/** Each with what it must be answered with. */
const requests: Readonly<Record<string, (tenant: Tenant) => Promise<number>>> = {
  'find a user by userName': ({ scim }) =>
    send(scim, 'GET', `/Users?filter=${encodeURIComponent('userName eq "member-77@example.com"')}`, 200),
  'find a user by externalId': ({ scim }) =>
    send(scim, 'GET', `/Users?filter=${encodeURIComponent('externalId eq "entra-77"')}`, 200),
  'find nobody': ({ scim }) =>
    send(scim, 'GET', `/Users?filter=${encodeURIComponent('userName eq "nobody@example.com"')}`, 200),
  'create a user': ({ scim }) => send(scim, 'POST', '/Users', 201, userBody(`created-${created++}`)),
  'change a user': ({ scim, member }) =>
    send(
      scim,
      'PATCH',
      `/Users/${member}`,
      200,
      patchBody({ op: 'Replace', path: 'title', value: String(created++) }),
    ),
  'read the group without members': ({ scim, group }) =>
    send(scim, 'GET', `${group}?excludedAttributes=members`, 200),
  'add and remove a member': async ({ scim, group, member }) =>
    (await send(scim, 'PATCH', group, 204, addMembers(member))) +
    (await send(scim, 'PATCH', group, 204, removeMembers(member))),
  'a page of 100': ({ scim }) => send(scim, 'GET', '/Users?startIndex=1&count=100', 200),
}

async function send(
  scim: ScimRequest,
  method: string,
  path: string,
  status: number,
  body?: object,
): Promise<number> {
  const answer = await scim(method, path, body)
  if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status}`)
  return answer.status
}

t.test(`a tenant of ${LARGE} costs what one of ${SMALL} does`, async (t) => {
  const service = await startTestService(t)
  const small = await tenantWith(service, 'small', SMALL)
  const large = await tenantWith(service, 'large', LARGE)
  // As autovacuum would have done by now.
  await sql`vacuum analyze`.execute(service.database.db)
  for (const [what, request] of Object.entries(requests)) {
    await compare(t, what, {
      base: () => request(small),
      other: () => request(large),
      rounds: ROUNDS,
      atMost: AT_MOST,
    })
  }
  // The last page by cursor costs what the first one does; by index it would have to count its way there.
  const cursorAt = async (page: number): Promise<string> => {
    let cursor = ''
    for (let n = 0; n < page; n += 1) {
      cursor = (await large.scim('GET', `/Users?cursor=${cursor}&count=1000&attributes=id`)).body.nextCursor
    }
    return cursor
  }
  const last = await cursorAt(49)
  await compare(t, 'the last page of 50 by cursor, and the first', {
    base: () => send(large.scim, 'GET', '/Users?cursor=&count=1000&attributes=id', 200),
    other: () => send(large.scim, 'GET', `/Users?cursor=${last}&count=1000&attributes=id`, 200),
    rounds: 10,
    atMost: AT_MOST,
  })
})
