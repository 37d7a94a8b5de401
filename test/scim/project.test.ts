import t from 'tap'
import { parseProjection, project, wantsAttribute } from '../../src/scim/project.ts'
import { ENTERPRISE, groupType, refusal, USER, userType } from './examples.ts'

const barbara = {
  schemas: [USER, ENTERPRISE],
  id: '1',
  userName: 'b',
  name: { givenName: 'Barbara', familyName: 'Jensen' },
  emails: [{ value: 'x', type: 'work' }, { value: 'y' }],
  [ENTERPRISE]: { department: 'Tours', manager: { value: 'm' } },
  meta: { resourceType: 'User', version: 'W/"1"' },
}

const only = (attributes: string | string[]) =>
  project(userType, barbara, parseProjection(userType, { attributes }))
const without = (excludedAttributes: string | string[]) =>
  project(userType, barbara, parseProjection(userType, { excludedAttributes }))

t.test('RFC 7644 §3.4.2.5: attributes', async (t) => {
  const always = { schemas: [USER], id: '1' }
  t.strictSame(only('userName'), { ...always, userName: 'b' })
  t.strictSame(only(' USERNAME ,unknown'), { ...always, userName: 'b' })
  t.strictSame(only(['userName', 'meta.version']), { ...always, userName: 'b', meta: { version: 'W/"1"' } })
  t.strictSame(only('id'), always)
  t.strictSame(only('unknown'), always)
  t.strictSame(only('__proto__,constructor'), always)
  t.strictSame(only('name.givenName,emails.type'), {
    ...always,
    name: { givenName: 'Barbara' },
    emails: [{ type: 'work' }],
  })
  t.strictSame(only('name,name.givenName'), { ...always, name: barbara.name })
  t.strictSame(only(`${USER}:userName`), { ...always, userName: 'b' })
  const extended = { schemas: [USER, ENTERPRISE], id: '1' }
  t.strictSame(only(`${ENTERPRISE}:department`), { ...extended, [ENTERPRISE]: { department: 'Tours' } })
  t.strictSame(only(ENTERPRISE), { ...extended, [ENTERPRISE]: barbara[ENTERPRISE] })
  t.strictSame(only('manager'), { ...extended, [ENTERPRISE]: { manager: { value: 'm' } } })
  t.strictSame(only('password'), always, 'never returned, even if asked for')
})

t.test('RFC 7644 §3.4.2.5: excludedAttributes', async (t) => {
  const { emails: _emails, ...rest } = barbara
  t.strictSame(without('emails'), rest)
  t.strictSame(without('id,schemas'), barbara, 'what is always returned stays')
  t.strictSame(without('unknown'), barbara)
  t.strictSame(without('emails.type,name.familyName').emails, [{ value: 'x' }, { value: 'y' }])
  t.strictSame(without(`${ENTERPRISE}:department`)[ENTERPRISE], { manager: { value: 'm' } })
  const { [ENTERPRISE]: _extension, ...core } = barbara
  t.strictSame(without(ENTERPRISE), { ...core, schemas: [USER] })
})

t.test('RFC 7644 §3.9: none, or both', async (t) => {
  t.strictSame(project(userType, barbara, parseProjection(userType, {})), barbara)
  t.strictSame(
    project(userType, barbara, parseProjection(userType, { attributes: '', excludedAttributes: ' ' })),
    barbara,
  )
  t.throws(
    () => parseProjection(userType, { attributes: 'id', excludedAttributes: 'name' }),
    refusal('invalidValue', 'attributes and excludedAttributes cannot be given together'),
  )
})

t.test('whether members must be fetched', async (t) => {
  const wants = (query: object) => wantsAttribute(groupType, parseProjection(groupType, query), 'members')
  for (const query of [
    {},
    { attributes: 'members' },
    { attributes: 'members.value' },
    { excludedAttributes: 'displayName' },
    { excludedAttributes: 'members.display' },
  ]) {
    t.ok(wants(query), JSON.stringify(query))
  }
  for (const query of [
    { attributes: 'displayName' },
    { excludedAttributes: 'MEMBERS' },
    { excludedAttributes: groupType.schema.id },
  ]) {
    t.notOk(wants(query), JSON.stringify(query))
  }
})
