import { randomUUID } from 'node:crypto'
import t from 'tap'
import { insertAccount } from '../../src/directory/accounts.ts'
import { countResources, type ListQuery, listResources } from '../../src/directory/list.ts'
import { resourceStore } from '../../src/directory/resources.ts'
import type { ResourceType } from '../../src/scim/attribute.ts'
import { parseFilter } from '../../src/scim/filter.ts'
import { readResource } from '../../src/scim/resource.ts'
import { createResourceTypes } from '../../src/scim/resource-types.ts'
import { openDatabase } from '../support/database.ts'
import { groupBody, userBody } from '../support/scim-client.ts'

const { user: userType, group: groupType } = createResourceTypes([])
const userStore = resourceStore(userType)
const groupStore = resourceStore(groupType)
const base = 'http://localhost/scim/v2'
const queryOf = (type: ResourceType, text?: string): ListQuery => ({
  targets: [{ type, filter: text === undefined ? undefined : parseFilter(type, text), sortBy: undefined }],
  sort: undefined,
  base,
})

const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'

t.test('filters find what they name, in their tenant', async (t) => {
  const { db } = await openDatabase(t)
  const ids = new Map<string, string>()
  const ann = {
    title: 'Editor',
    nickName: "An'n \\ %_",
    [ENTERPRISE]: { department: 'Sales', employeeNumber: '42', manager: { value: 'boss' } },
    emails: [
      { type: 'work', value: 'Ann@example.com', primary: true },
      { type: 'home', value: 'ann@home.example' },
    ],
  }
  const bodies = {
    ann: userBody('ann', ann),
    bob: userBody('bob', { active: false }),
    cleo: userBody('cleo'),
  }
  for (const [name, body] of Object.entries(bodies)) {
    const id = randomUUID()
    ids.set(name, id)
    await db.transaction().execute(async (trx) => {
      await insertAccount(trx, 1, id)
      await userStore.insert(trx, 1, id, readResource(userType, body))
    })
  }
  const find = async (text: string): Promise<string[]> => {
    const found = await listResources(db, 1, queryOf(userType, text), { limit: 10 })
    return found.map(({ resource }) => String(resource.attributes.displayName))
  }
  const cases: Record<string, string[]> = {
    'userName eq "ANN@EXAMPLE.COM"': ['ann'],
    'externalId eq "entra-bob"': ['bob'],
    'externalId eq "ENTRA-BOB"': [],
    [`id eq "${ids.get('cleo')}"`]: ['cleo'],
    [`meta.location eq "${base}/Users/${ids.get('cleo')}"`]: ['cleo'],
    [`meta.location eq "${base}/Groups/${ids.get('cleo')}"`]: [],
    'meta.location sw "http://localhost/"': ['ann', 'bob', 'cleo'],
    'groups.$ref pr': [],
    'id eq "not-an-id"': [],
    'emails[type eq "work"].value eq "ann@EXAMPLE.com"': ['ann'],
    'emails[type eq "home" and value eq "ann@example.com"]': [],
    'emails.value eq "ann@home.example"': ['ann'],
    'emails eq "ann@home.example"': ['ann'],
    'emails.type eq "home" and emails.value eq "ann@example.com"': ['ann'],
    'title eq "editor"': ['ann'],
    'name.givenName eq "BOB"': ['bob'],
    [`${ENTERPRISE}:employeeNumber eq "42"`]: ['ann'],
    [`${ENTERPRISE}:manager.value eq "boss"`]: ['ann'],
    'active eq true': ['ann', 'cleo'],
    'active eq "False"': ['bob'],
    'active eq false or title eq "Editor"': ['ann', 'bob'],
    'not (title eq "Editor")': ['bob', 'cleo'],
    'title pr': ['ann'],
    'title eq null': ['bob', 'cleo'],
    'emails[type eq "home"] and active eq true': ['ann'],
    [`${ENTERPRISE}:manager pr`]: ['ann'],
    'emails.type pr and externalId pr and id pr': ['ann', 'bob', 'cleo'],
    'nickName eq "an\'n \\\\ %_"': ['ann'],
    'nickName eq "\'; drop table scim_user; --"': [],
    'displayName eq jyoung': [],
  }
  for (const [text, names] of Object.entries(cases)) t.same(await find(text), names, text)
  t.equal(await countResources(db, 2, queryOf(userType)), 0, 'of another tenant there is nothing')
})

t.test('groups by name, and by member', async (t) => {
  const { db } = await openDatabase(t)
  const { members: _, ...attributes } = readResource(groupType, groupBody('Agents'))
  await db.transaction().execute((trx) => groupStore.insert(trx, 1, randomUUID(), attributes))
  const count = (text: string): Promise<number> => countResources(db, 1, queryOf(groupType, text))
  t.equal(await count('displayName eq "AGENTS"'), 1)
  t.equal(await count('externalId eq "entra-Agents"'), 1)
  t.equal(await count(`members.value eq "${randomUUID()}"`), 0)
  t.equal(await count('members eq "nobody"'), 0)
  t.equal(await count('not (members pr)'), 1)
})
