import t from 'tap'
import { GROUP_SCHEMA, groupBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'
import { callsDuring, type Dialect, dialects, entra, isScimError, PLACEHOLDER, step } from './setup.ts'

for (const dialect of Object.keys(dialects) as Dialect[]) {
  t.test(`renaming a group renames the role of its members, ${dialect}`, async (t) => {
    const service = await startTestService(t, {
      roles: [PLACEHOLDER, 'Old', 'New', 'Other', 'Newer', 'By hand'],
    })
    const actor = entra(t, service, dialect)
    for (const group of ['Old', 'Other']) await actor.createGroup(group)
    for (const name of ['ann', 'bob', 'cid']) await actor.createUser(name)
    await actor.add('Old', 'ann', 'bob')
    await actor.add('Other', 'bob', 'cid')
    await service.settle()
    await step(t, service, 'the old name leaves, the new one comes', () => actor.rename('Old', 'New'), {
      ann: ['New'],
      bob: ['New', 'Other'],
    })
    t.strictSame(await actor.findGroup('New'), [actor.idOf('Old')])
    t.strictSame(await actor.findGroup('Old'), [])
    t.equal((await actor.getGroup('Old')).members.length, 2)

    await step(
      t,
      service,
      'by PUT, too',
      async () => {
        const members = ['ann', 'bob'].map((name) => ({ value: actor.idOf(name) }))
        const body = { schemas: [GROUP_SCHEMA], displayName: 'Newer', members }
        t.equal((await service.scim('PUT', `/Groups/${actor.idOf('Old')}`, body)).status, 200)
      },
      { ann: ['Newer'], bob: ['Newer', 'Other'] },
    )
    await step(t, service, 'there and back', async () => {
      await actor.rename('Old', 'New')
      await actor.rename('Old', 'Newer')
    })
    await step(t, service, 'then the new name leaves with the group', () => actor.deleteGroup('Old'), {
      ann: 'gone',
      bob: ['Other'],
    })
  })
}

t.test('a role that was foreign to one member and granted to another, renamed onto', async (t) => {
  const service = await startTestService(t, { roles: [PLACEHOLDER, 'Old', 'New'] })
  const actor = entra(t, service)
  await actor.createGroup('Old')
  await actor.createUser('ann')
  await actor.add('Old', 'ann')
  await service.settle()
  const id = service.sandbox.state.userByEmail('ann@example.com')?.id ?? ''
  service.sandbox.state.editUser(id, { roles: ['Old', 'New'] })
  await step(t, service, 'without repeats', () => actor.rename('Old', 'New'), { ann: ['New'] })
  await step(t, service, 'granted from now on', () => actor.remove('Old', 'ann'), { ann: 'gone' })
})

t.test('two groups of one name cannot exist, compared without case', async (t) => {
  const service = await startTestService(t, { roles: [PLACEHOLDER, 'Agents', 'Analyst', 'Été'] })
  const actor = entra(t, service)
  for (const group of ['Agents', 'Analyst']) await actor.createGroup(group)
  await actor.createUser('ann')
  await actor.add('Analyst', 'ann')
  await service.settle()
  const before = await actor.getGroup('Analyst')
  const analyst = `/Groups/${actor.idOf('Analyst')}`
  const conflict = { status: 409, scimType: 'uniqueness' }
  for (const name of ['Agents', 'agents', 'AGENTS']) {
    await step(t, service, `${name} is taken`, async () => {
      isScimError(t, await service.scim('POST', '/Groups', groupBody(name)), conflict, `POST ${name}`)
      for (const { replace } of Object.values(dialects)) {
        isScimError(
          t,
          await service.scim('PATCH', analyst, replace('displayName', name)),
          conflict,
          `PATCH ${name}`,
        )
      }
      const body = { schemas: [GROUP_SCHEMA], displayName: name }
      isScimError(t, await service.scim('PUT', analyst, body), conflict, `PUT ${name}`)
    })
  }
  t.strictSame(await actor.getGroup('Analyst'), before, 'a refused rename changes nothing')
  t.equal((await service.scim('GET', '/Groups')).body.totalResults, 2)

  await t.test('letters outside ASCII as well', async (t) => {
    await entra(t, service).createGroup('Été')
    isScimError(t, await service.scim('POST', '/Groups', groupBody('éTÉ')), conflict)
  })

  await t.test('a name is free again after its group was deleted or renamed', async (t) => {
    await actor.deleteGroup('Agents')
    const again = await service.scim('POST', '/Groups', groupBody('agents'))
    t.equal(again.status, 201)
    t.not(again.body.id, actor.idOf('Agents'))
  })
})

t.test('of two parallel creations of one group, one is refused', async (t) => {
  const service = await startTestService(t)
  const answers = await Promise.all(
    ['Agents', 'agents', 'AGENTS'].map((name) => service.scim('POST', '/Groups', groupBody(name))),
  )
  t.strictSame(answers.map(({ status }) => status).sort(), [201, 409, 409])
  t.equal((await service.scim('GET', '/Groups')).body.totalResults, 1)
})

t.test('a name is matched to a role exactly, else without case when that names just one', async (t) => {
  const service = await startTestService(t, { roles: [PLACEHOLDER, 'Agents', 'Editor', 'EDITOR', 'viewer'] })
  const actor = entra(t, service)
  for (const name of ['ann', 'bob']) await actor.createUser(name)
  await service.settle()

  await actor.createGroup('aGENTS')
  await step(t, service, 'as Campaign Manager spells it', () => actor.add('aGENTS', 'ann'), {
    ann: ['Agents'],
  })
  t.equal((await actor.getGroup('aGENTS')).displayName, 'aGENTS', 'the group keeps its own spelling')
  const calls = await callsDuring(service, () => actor.rename('aGENTS', 'AGENTS'))
  t.strictSame(calls.writes, [], 'renamed in case only, the role is the same')

  const detail = "no Campaign Manager role is named 'editor'; create it, or rename the group"
  const answer = await service.scim('POST', '/Groups', groupBody('editor'))
  isScimError(t, answer, { status: 400, scimType: 'invalidValue', detail }, 'without case it names two')
  await actor.createGroup('EDITOR')
  await step(t, service, 'exactly one of two', () => actor.add('EDITOR', 'bob'), { bob: ['EDITOR'] })
  await step(t, service, 'and the other', () => actor.rename('EDITOR', 'Editor'), { bob: ['Editor'] })
  await step(t, service, 'leaves as it came', () => actor.remove('aGENTS', 'ann'), { ann: 'gone' })
})
