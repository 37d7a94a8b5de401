// Every way to tamper with the trail, each on a trail of its own. Database rights and triggers are assumed to be overcome.
import t from 'tap'
import { verifyTrail } from '../../src/audit/verify.ts'
import { checkWhole, entries, shortTrail, TENANT, tamper, tell } from './setup.ts'

t.test('an untouched trail is whole', async (t) => {
  const db = await shortTrail(t)
  const [first, , third, , last] = await entries(db)
  t.match(await verifyTrail(db, TENANT), { kind: 'whole', first: 1, last: 5, hash: last?.hash })
  t.match(first?.previous_hash, Buffer.alloc(32))
  t.equal(third?.detail.joined.count, 2)
  for (const { sequence, hash } of await entries(db)) {
    const head = { sequence: Number(sequence), hash: hash.toString('hex') }
    t.match(await verifyTrail(db, TENANT, head), { kind: 'whole' }, `and has the head it had at ${sequence}`)
  }
})

const renumbered = (sequence: number, by: number) =>
  `update audit_entry set sequence = sequence + ${by} where sequence = ${sequence}`

const cases: [name: string, statements: string[], sequence: number, why: RegExp][] = [
  ...Object.entries({
    at: "at + interval '1 millisecond'",
    actor: "'token:other'",
    request_id: 'null',
    operation: "'user.create'",
    resource_type: "'Group'",
    resource_id: "'someone-else'",
    attributes: "'{}'",
    wanted_roles: "'{}'",
    observed_roles: "'{Admin}'",
    result: "'failed'",
    reason: "'x'",
    detail: `'{"a":1}'`,
    hash: "decode(repeat('ab', 32), 'hex')",
  }).map(([column, value]): [string, string[], number, RegExp] => [
    `${column} changed`,
    [`update audit_entry set ${column} = ${value} where sequence = 4`],
    4,
    /not what was hashed/,
  ]),
  [
    'the hash before changed',
    ["update audit_entry set previous_hash = decode(repeat('ab', 32), 'hex') where sequence = 4"],
    4,
    /does not follow/,
  ],
  ['one taken out', ['delete from audit_entry where sequence = 2'], 2, /missing/],
  ['the first taken out', ['delete from audit_entry where sequence = 1'], 1, /missing/],
  [
    'one taken out and the rest moved up',
    ['delete from audit_entry where sequence = 4', renumbered(5, -1), 'update audit_head set sequence = 4'],
    4,
    /does not follow/,
  ],
  ['two swapped', [renumbered(1, 99), renumbered(2, -1), renumbered(100, -98)], 1, /does not follow/],
  [
    'one put in between',
    [
      renumbered(5, 1),
      renumbered(4, 1),
      'insert into audit_entry select tenant_id, 4, at, actor, request_id, operation, resource_type, resource_id, attributes, wanted_roles, observed_roles, result, reason, detail, previous_hash, hash from audit_entry where sequence = 3',
      'update audit_head set sequence = 6',
    ],
    4,
    /does not follow/,
  ],
  [
    'one put at the end',
    [
      'insert into audit_entry select tenant_id, 6, at, actor, request_id, operation, resource_type, resource_id, attributes, wanted_roles, observed_roles, result, reason, detail, hash, hash from audit_entry where sequence = 5',
    ],
    6,
    /not what was hashed/,
  ],
  ['the newest taken out', ['delete from audit_entry where sequence = 5'], 5, /missing/],
  ['all taken out', ['delete from audit_entry'], 1, /missing, and so are all up to 5/],
  ['the head gone', ['delete from audit_head'], 1, /past the head/],
  [
    "the head's hash changed",
    ["update audit_head set hash = decode(repeat('ab', 32), 'hex')"],
    5,
    /not that of the head/,
  ],
  ['a member taken out', ["delete from audit_subject where user_id::text like '%2'"], 3, /users it concerns/],
  ['all members taken out', ['delete from audit_subject'], 3, /users it concerns/],
  [
    'a member put in',
    ["insert into audit_subject values (1, 3, gen_random_uuid(), 'joined')"],
    3,
    /users it concerns/,
  ],
  [
    'a member put to another entry',
    ["insert into audit_subject values (1, 1, gen_random_uuid(), 'joined')"],
    1,
    /users it concerns/,
  ],
  [
    'a member put past the end',
    ["insert into audit_subject values (1, 9, gen_random_uuid(), 'joined')"],
    9,
    /no entry/,
  ],
  ["a member's part turned round", ["update audit_subject set effect = 'left'"], 3, /users it concerns/],
  [
    'the beginning taken away as if pruned',
    [
      'insert into audit_checkpoint select tenant_id, sequence, hash from audit_entry where sequence = 3',
      'delete from audit_entry where sequence <= 3',
      'delete from audit_subject where sequence <= 3',
    ],
    3,
    /nothing tells/,
  ],
]

t.test('found', async (t) => {
  const db = await shortTrail(t)
  const tables = ['audit_entry', 'audit_subject', 'audit_head', 'audit_checkpoint']
  await tamper(db, ...tables.map((table) => `create table copy_of_${table} as table ${table}`))
  const restore = () =>
    tamper(
      db,
      `truncate ${tables.join(', ')}`,
      ...tables.map((table) => `insert into ${table} table copy_of_${table}`),
    )
  for (const [name, statements, sequence, why] of cases) {
    await tamper(db, ...statements)
    t.match(await verifyTrail(db, TENANT), { kind: 'broken', sequence, why }, name)
    await restore()
    t.match(await verifyTrail(db, TENANT), { kind: 'whole' }, `${name}, and undone`)
  }
})

t.test('a trail cut off at its end, head and all, is found by a head from elsewhere', async (t) => {
  const db = await shortTrail(t)
  const kept = (await entries(db)).map(({ sequence, hash }) => ({
    sequence: Number(sequence),
    hash: hash.toString('hex'),
  }))
  await tamper(
    db,
    'delete from audit_entry where sequence > 3',
    'update audit_head set (sequence, hash) = (select sequence, hash from audit_entry where sequence = 3)',
  )
  t.match(await verifyTrail(db, TENANT), { kind: 'whole', last: 3 }, 'the chain alone does not show it')
  t.match(await verifyTrail(db, TENANT, kept[4]), { kind: 'broken', sequence: 4, why: /missing.*up to 5/ })
  await tell(db)
  await tell(db)
  await checkWhole(t, db)
  t.match(
    await verifyTrail(db, TENANT, kept[4]),
    { kind: 'broken', sequence: 5, why: /not that of the head that was kept/ },
    'nor can it be written anew',
  )
  await tamper(db, 'delete from audit_entry', 'delete from audit_subject', 'delete from audit_head')
  t.match(await verifyTrail(db, TENANT, kept[0]), { kind: 'broken', sequence: 1, why: /missing/ })
})

t.test('an entry of one tenant is none of another', async (t) => {
  const db = await shortTrail(t)
  await tell(db, {}, 2)
  await checkWhole(t, db, 2)
  await tamper(
    db,
    'delete from audit_entry where tenant_id = 2',
    'update audit_entry set tenant_id = 2 where tenant_id = 1 and sequence = 1',
    'update audit_head set hash = (select hash from audit_entry where tenant_id = 2) where tenant_id = 2',
  )
  t.match(await verifyTrail(db, 2), { kind: 'broken', sequence: 1, why: /not what was hashed/ })
})
