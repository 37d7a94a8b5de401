import t from 'tap'
import { groupBody, patchBody, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

t.test('no more filters than can be compared with every member of a large group', async (t) => {
  const { scim } = await startTestService(t)
  const { id } = (await scim('POST', '/Users', userBody('ann'))).body
  const { body: group } = await scim('POST', '/Groups', {
    ...groupBody('Campaign Editor'),
    members: [{ value: id }],
  })
  const remove = (count: number) =>
    scim(
      'PATCH',
      `/Groups/${group.id}`,
      patchBody(
        ...Array.from({ length: count }, (_, n) => ({ op: 'remove', path: `members[value sw "none-${n}"]` })),
      ),
    )
  t.equal((await remove(10)).status, 204)
  t.match(await remove(11), {
    status: 400,
    body: { scimType: 'tooMany', detail: /^members: more than 10 filters/ },
  })
  t.equal((await scim('GET', `/Groups/${group.id}`)).body.members.length, 1)
})

t.test('members picked by a filter: the right ones go, and nobody comes', async (t) => {
  const { scim, url } = await startTestService(t)
  const [ann, bob, cleo] = [
    (await scim('POST', '/Users', userBody('ann'))).body.id,
    (await scim('POST', '/Users', userBody('bob'))).body.id,
    (await scim('POST', '/Users', userBody('cleo'))).body.id,
  ] as [string, string, string]
  const group = `/Groups/${(await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id}`
  const address = (id: string) => `${url}/scim/v2/Users/${id}`
  const members = async () =>
    ((await scim('GET', group)).body.members ?? []).map(({ value }: { value: string }) => value).sort()

  const cases: [operation: object, status: number, left: string[]][] = [
    [{ op: 'remove', path: `members[$ref eq "${address(ann)}"]` }, 204, [bob]],
    [{ op: 'remove', path: `members[$ref eq "../Users/${ann}"]` }, 204, [bob]],
    // Where no member can be told by its address the request is refused, and nobody loses or keeps access by mistake.
    [{ op: 'remove', path: 'members[$ref pr]' }, 400, [ann, bob]],
    [{ op: 'remove', path: `members[$ref ne "${address(ann)}"]` }, 400, [ann, bob]],
    [{ op: 'remove', path: `members[$ref ew "${ann}"]` }, 400, [ann, bob]],
    [{ op: 'remove', path: 'members[not ($ref pr)]' }, 400, [ann, bob]],
    [{ op: 'remove', path: `members[value ne "${ann}"]` }, 204, [ann]],
    [{ op: 'remove', path: 'members[type eq "User"]' }, 204, []],
    // A member that is cleared does not come in by that.
    ...[null, '', []].flatMap((value): [object, number, string[]][] => [
      [{ op: 'replace', path: `members[value eq "${cleo}"]`, value }, 204, [ann, bob]],
      [{ op: 'add', path: `members[value eq "${cleo}"]`, value }, 204, [ann, bob]],
      [{ op: 'replace', path: `members[value eq "${ann}"]`, value }, 204, [bob]],
      [{ op: 'add', path: `members[value eq "${ann}"]`, value }, 204, [ann, bob]],
    ]),
    [{ op: 'replace', path: `members[value eq "${ann}"].value`, value: null }, 204, [bob]],
    [{ op: 'replace', value: { [`members[value eq "${ann}"]`]: null } }, 204, [bob]],
    [{ op: 'add', path: 'members', value: [{ $ref: address(cleo) }] }, 204, [ann, bob, cleo]],
    [
      { op: 'add', path: 'members', value: [{ $ref: 'https://elsewhere.example/people/1' }] },
      400,
      [ann, bob],
    ],
  ]
  for (const [operation, status, left] of cases) {
    await scim('PUT', group, { ...groupBody('Campaign Editor'), members: [{ value: ann }, { value: bob }] })
    const answer = await scim('PATCH', group, patchBody(operation))
    t.strictSame([answer.status, await members()], [status, left.sort()], JSON.stringify(operation))
  }
})
