import t from 'tap'
import { readSchemaExtensions } from '../src/schema-extensions.ts'

const ACME = 'urn:example:params:scim:schemas:extension:acme:2.0:User'

const extension = (attributes: unknown, schema: object = {}, others: object = {}) => ({
  resourceType: 'User',
  schema: { id: ACME, name: 'Acme', attributes, ...schema },
  ...others,
})

const faultsOf = (...extensions: unknown[]) => readSchemaExtensions(extensions).faults
const attributeFaults = (...attributes: unknown[]) => faultsOf(extension(attributes))

t.test('RFC 7643 §2.2: what is left out has its default', async (t) => {
  const { extensions, faults } = readSchemaExtensions([
    extension([
      { name: 'tag' },
      { name: 'level', type: 'integer', multiValued: true },
      { name: 'vip', type: 'boolean' },
      { name: 'photo', type: 'binary', caseExact: false },
      { name: 'page', type: 'reference' },
      {
        name: 'badge',
        type: 'complex',
        caseExact: true,
        uniqueness: 'none',
        subAttributes: [{ name: '$ref', type: 'reference', referenceTypes: ['User'], caseExact: false }],
      },
    ]),
  ])
  t.strictSame(faults, [])
  const said = {
    multiValued: false,
    description: '',
    required: false,
    mutability: 'readWrite',
    returned: 'default',
  }
  t.strictSame(extensions, [
    {
      resourceType: 'User',
      required: false,
      schema: {
        id: ACME,
        name: 'Acme',
        description: '',
        attributes: [
          { ...said, name: 'tag', type: 'string', caseExact: false, uniqueness: 'none' },
          { ...said, name: 'level', type: 'integer', multiValued: true, uniqueness: 'none' },
          { ...said, name: 'vip', type: 'boolean' },
          { ...said, name: 'photo', type: 'binary', caseExact: true, uniqueness: 'none' },
          { ...said, name: 'page', type: 'reference', caseExact: true, uniqueness: 'none' },
          {
            ...said,
            name: 'badge',
            type: 'complex',
            subAttributes: [
              {
                ...said,
                name: '$ref',
                type: 'reference',
                caseExact: false,
                uniqueness: 'none',
                referenceTypes: ['User'],
              },
            ],
          },
        ],
      },
    },
  ])
})

t.test('what is said is kept, in the shape of /Schemas of another server', async (t) => {
  const tag = {
    name: 'tag',
    type: 'string',
    multiValued: true,
    description: 'A tag.',
    required: true,
    canonicalValues: ['a'],
    caseExact: true,
    mutability: 'immutable',
    returned: 'request',
    uniqueness: 'none',
  }
  const pasted = {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:Schema'],
    meta: { resourceType: 'Schema', location: 'https://other.example/Schemas/x' },
    description: 'Ours',
  }
  const empty = { subAttributes: [], referenceTypes: [] }
  t.match(readSchemaExtensions([extension([{ ...tag, ...empty }], pasted, { required: true })]), {
    faults: [],
    extensions: [{ required: true, schema: { description: 'Ours', attributes: [tag] } }],
  })
  const { extensions } = readSchemaExtensions([extension([{ ...tag, ...empty }], pasted)])
  t.strictSame(Object.keys(extensions[0]?.schema ?? {}), ['id', 'name', 'description', 'attributes'])
  t.strictSame(extensions[0]?.schema.attributes, [tag])
})

t.test('no extensions', async (t) => {
  t.strictSame(readSchemaExtensions([]), { extensions: [], faults: [] })
})

t.test('the shape of the file', async (t) => {
  t.strictSame(readSchemaExtensions({}).faults, ['must be an array'])
  t.strictSame(
    faultsOf(5, { resourceType: 'user', schema: { id: ACME, name: '' } }, { schema: null, extra: 1 }),
    [
      '[0]: must be an object, not 5',
      '[1].resourceType: must be one of "User", "Group", not "user"',
      '[1].schema.attributes: must be given, and be an array of at least one attribute',
      '[1].schema.name: must be a text of 1 to 255 characters, not ""',
      '[2].resourceType: must be given, and be one of "User", "Group"',
      '[2].extra: is not known here',
      '[2].schema: must be an object',
    ],
  )
  t.strictSame(faultsOf(extension([])), ['[0].schema.attributes: must be an array of at least one attribute'])
  t.strictSame(
    attributeFaults(
      { name: 'a', mutablity: 'immutable' },
      { name: 'b', type: 'text' },
      { name: 'c', type: 'complex', subAttributes: [{ name: 'd', required: 'yes' }] },
      JSON.parse('{ "name": "e", "__proto__": {} }'),
    ),
    [
      '[0].schema.attributes[0].mutablity: is not known here',
      '[0].schema.attributes[1].type: must be one of "string", "boolean", "decimal", "integer", "dateTime", "reference", "binary", "complex", not "text"',
      '[0].schema.attributes[2].subAttributes[0].required: must be true or false, not "yes"',
      '[0].schema.attributes[3].__proto__: is not known here',
    ],
  )
})

t.test('RFC 8141: the name of a schema', async (t) => {
  const idFaults = (id: string) => faultsOf(extension([{ name: 'a' }], { id }))
  for (const id of [
    'acme',
    'urn:acme',
    'urn:a:b',
    'urn:acme:',
    'urn:-a:b',
    'urn:acme:a b',
    'urn:acme:/a',
    'urn:acme:é',
  ]) {
    t.match(idFaults(id), [/^\[0\]\.schema\.id: must be a URN such as .* \(RFC 8141\)$/], id)
  }
  for (const id of [
    'urn:ietf:params:scim:schemas:extension:x:2.0:User',
    'URN:IETF:params:scim:schemas:core:2.0:User',
  ]) {
    t.strictSame(idFaults(id), [
      '[0].schema.id: must not begin with urn:ietf:params:scim, which is for the standards',
    ])
  }
  for (const id of ['urn:acme:a/b', 'urn:acme:(a)', 'urn:acme:%41', 'urn:acme:a,b']) {
    t.match(idFaults(id), [/^\[0\]\.schema\.id: must not contain '%'/], id)
  }
  for (const id of ['urn:acme:a', 'URN:Acme:scim:2.0:User', "urn:0a-1:a.b~c!d$e&f'g*h+i;j=k:l@m_n"]) {
    t.strictSame(idFaults(id), [], id)
  }
})

t.test('RFC 7643 §3.3: one schema, once for each type', async (t) => {
  const tag = [{ name: 'tag' }]
  const ofGroup = { resourceType: 'Group' }
  t.strictSame(faultsOf(extension(tag), extension(tag, {}, ofGroup)), [])
  t.strictSame(faultsOf(extension(tag), extension(tag, { id: ACME.toUpperCase() })), [
    '[1].schema.id: is that of [0], too',
  ])
  for (const other of [
    extension([{ name: 'other' }], {}, ofGroup),
    extension(tag, { id: ACME.toUpperCase() }, ofGroup),
  ]) {
    t.strictSame(faultsOf(extension(tag), other), [
      '[1].schema.id: is that of [0], too, and the two schemas differ',
    ])
  }
  for (const name of ['TAG', 'tag.part']) {
    const parted = [{ name: 'tag', type: 'complex', subAttributes: [{ name: 'part' }] }]
    t.strictSame(faultsOf(extension(tag, { id: `${ACME}:${name}` }), extension(parted)), [
      '[0].schema.id: is also the name of an attribute of [1]',
    ])
  }
})

t.test('RFC 7643 §2.1: names', async (t) => {
  const fault = 'must be a letter, followed by letters, digits, "-" and "_" (RFC 7643 §2.1)'
  for (const name of ['__proto__', '1st', 'a.b', 'a b', 'é', '-a', '$ref', 'a:b', 'a[b]']) {
    t.strictSame(attributeFaults({ name }), [`[0].schema.attributes[0].name: ${fault}`], name)
  }
  for (const name of ['constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
    t.strictSame(attributeFaults({ name }), [
      '[0].schema.attributes[0].name: must not be a name that every JavaScript object has',
    ])
  }
  t.strictSame(attributeFaults({ name: 'a' }, { name: 'b-1_C' }, { name: 'A' }), [
    '[0].schema.attributes[2].name: is that of [0], too',
  ])
  const subAttributes = [{ name: 'x' }, { name: '$ref' }, { name: 'X' }, { name: '__proto__' }]
  t.strictSame(attributeFaults({ name: 'a', type: 'complex', subAttributes }), [
    '[0].schema.attributes[0].subAttributes[2].name: is that of [0], too',
    `[0].schema.attributes[0].subAttributes[3].name: ${fault}`,
  ])
})

t.test('RFC 7643 §2.3.8 and §7: what does not go together', async (t) => {
  const complex = (sub: object) => ({ name: 'c', type: 'complex', subAttributes: [{ name: 'x', ...sub }] })
  const cases: readonly [attribute: object, fault: string][] = [
    [{ name: 'a', type: 'complex' }, 'subAttributes: must be given for the type complex'],
    [
      { name: 'a', subAttributes: [{ name: 'x' }] },
      'subAttributes: must not be given for another type than complex',
    ],
    [
      complex({ type: 'complex', subAttributes: [5] }),
      'subAttributes[0].type: must not be "complex" within a complex attribute (RFC 7643 §2.3.8)',
    ],
    [
      complex({ subAttributes: [{ name: 'y' }] }),
      'subAttributes[0].subAttributes: must not be given within a complex attribute (RFC 7643 §2.3.8)',
    ],
    [
      complex({ multiValued: true }),
      'subAttributes[0].multiValued: must not be true: here a part has one value',
    ],
    [
      { name: 'a', type: 'integer', canonicalValues: ['1'] },
      'canonicalValues: must not be given for another type than string',
    ],
    [
      { name: 'a', referenceTypes: ['User'] },
      'referenceTypes: must not be given for another type than reference',
    ],
  ]
  for (const [attribute, fault] of cases) {
    t.strictSame(attributeFaults(attribute), [`[0].schema.attributes[0].${fault}`])
  }
})

t.test('what this server could not keep to is not promised', async (t) => {
  const cases: readonly [attribute: object, fault: string][] = [
    [{ mutability: 'readOnly' }, 'mutability: must not be "readOnly": nobody but a client would set it'],
    [{ mutability: 'writeOnly' }, 'mutability: must not be "writeOnly": what is kept can be read'],
    [{ returned: 'never' }, 'returned: must not be "never": nothing here could use the value'],
    [{ uniqueness: 'server' }, 'uniqueness: must be "none": values are not compared between resources'],
    [{ uniqueness: 'global' }, 'uniqueness: must be "none": values are not compared between resources'],
  ]
  for (const [said, fault] of cases) {
    t.strictSame(attributeFaults({ name: 'a', ...said }), [`[0].schema.attributes[0].${fault}`])
    t.strictSame(attributeFaults({ name: 'a', type: 'complex', subAttributes: [{ name: 'b', ...said }] }), [
      `[0].schema.attributes[0].subAttributes[0].${fault}`,
    ])
  }
  const fixed = { type: 'complex', subAttributes: [{ name: 'b', mutability: 'immutable' }] }
  t.strictSame(attributeFaults({ name: 'a', ...fixed }), [])
  t.strictSame(attributeFaults({ name: 'a', ...fixed, multiValued: true }), [
    '[0].schema.attributes[0].subAttributes[0].mutability: must not be "immutable" within an attribute of several values',
  ])
})

t.test('there is a bound', async (t) => {
  const attributes = Array.from({ length: 200 }, (_, index) => ({ name: `a${index}` }))
  t.strictSame(attributeFaults(...attributes), [])
  const parted = { name: 'c', type: 'complex', subAttributes: [{ name: 'd' }] }
  t.strictSame(attributeFaults(...attributes, parted), [
    '[0].schema.attributes: must not be more than 200, those within them counted; there are 202',
  ])
})

t.test('a fault of form does not hide the others', async (t) => {
  t.strictSame(
    faultsOf(
      extension([{ name: 'a', extra: 1 }, { name: 'A' }, { name: 'b', returned: 'never' }], { id: 'acme' }),
    ).map((fault) => fault.split(': ')[0]),
    [
      '[0].schema.attributes[0].extra',
      '[0].schema.id',
      '[0].schema.attributes[1].name',
      '[0].schema.attributes[2].returned',
    ],
  )
})
