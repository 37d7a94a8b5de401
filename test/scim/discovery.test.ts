import t from 'tap'
import type { Attribute, JsonObject } from '../../src/scim/attribute.ts'
import { BULK_LIMITS } from '../../src/scim/bulk.ts'
import {
  listResponse,
  resourceTypeResources,
  schemaResources,
  serviceProviderConfig,
} from '../../src/scim/discovery.ts'
import { createResourceTypes } from '../../src/scim/resource-types.ts'
import { ENTERPRISE, GROUP, rfc, USER } from './examples.ts'

const types = createResourceTypes([])
const baseUrl = 'https://example.com/scim/v2'

const tableOf = (schema: JsonObject | undefined) => (schema?.attributes ?? []) as readonly Attribute[]

t.test('RFC 7643 §5: what the service can do', async (t) => {
  t.strictSame(serviceProviderConfig(baseUrl), {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
    patch: { supported: true },
    bulk: { supported: true, ...BULK_LIMITS },
    filter: { supported: true, maxResults: 1000 },
    changePassword: { supported: false },
    sort: { supported: true },
    etag: { supported: true },
    pagination: {
      cursor: true,
      index: true,
      defaultPaginationMethod: 'index',
      defaultPageSize: 100,
      maxPageSize: 1000,
      cursorTimeout: 3600,
    },
    authenticationSchemes: [
      {
        type: 'oauthbearertoken',
        name: 'OAuth Bearer Token',
        description: 'Authentication scheme using the OAuth Bearer Token Standard',
        specUri: 'https://www.rfc-editor.org/info/rfc6750',
        primary: true,
      },
      {
        type: 'oauth2',
        name: 'OAuth 2.0',
        description: 'Bearer tokens from the token endpoint, by the client credentials grant',
        specUri: 'https://www.rfc-editor.org/info/rfc6749',
        primary: false,
      },
    ],
    meta: { resourceType: 'ServiceProviderConfig', location: `${baseUrl}/ServiceProviderConfig` },
  })
})

t.test('RFC 7643 §6: the resource types', async (t) => {
  t.match(resourceTypeResources(types, baseUrl), [
    {
      id: 'User',
      endpoint: '/Users',
      schema: USER,
      schemaExtensions: [{ schema: ENTERPRISE, required: false }],
      meta: { location: `${baseUrl}/ResourceTypes/User` },
    },
    { id: 'Group', endpoint: '/Groups', schema: GROUP, schemaExtensions: [] },
  ])
})

t.test(
  'RFC 7643 §8.7.1: the schemas are those of the RFC, but for what is said in their tables',
  async (t) => {
    const schemas = new Map(schemaResources(types, baseUrl).map((schema) => [schema.id, schema]))
    const names = (schema: JsonObject | undefined): string[] =>
      tableOf(schema).flatMap(({ name, type, subAttributes = [] }) => [
        `${name}:${type}`,
        ...subAttributes.map((sub) => `${name}.${sub.name}`),
      ])
    for (const [urn, file, added, left] of [
      [USER, 'rfc7643-8.7.1-schema-user', ['externalId:string'], []],
      [GROUP, 'rfc7643-8.7.1-schema-group', ['externalId:string'], ['members.display']],
      [ENTERPRISE, 'rfc7643-8.7.1-schema-enterprise_user', [], []],
    ] as const) {
      const expected = names(rfc(file)).filter((name) => !left.some((each) => each === name))
      t.strictSame(names(schemas.get(urn)), [...added, ...expected])
      t.match(schemas.get(urn), { meta: { resourceType: 'Schema', location: `${baseUrl}/Schemas/${urn}` } })
    }
  },
)

t.test('RFC 7643 errata: displayName of a group, members, manager', async (t) => {
  const attribute = (urn: string, name: string) =>
    tableOf(schemaResources(types, baseUrl).find(({ id }) => id === urn)).find((each) => each.name === name)
  t.match(attribute(GROUP, 'displayName'), { required: true })
  t.match(attribute(GROUP, 'members'), {
    subAttributes: [
      { name: 'value' },
      { name: '$ref', referenceTypes: ['User'] },
      { name: 'type', canonicalValues: ['User'] },
    ],
  })
  t.match(attribute(ENTERPRISE, 'manager'), {
    subAttributes: [{ name: 'value', caseExact: true, required: false }, {}, {}],
  })
  t.match(attribute(USER, 'groups'), {
    mutability: 'readOnly',
    subAttributes: [{}, { referenceTypes: ['Group'] }, {}, {}],
  })
})

t.test('Entra: no nulls in /Schemas', async (t) => {
  t.notMatch(JSON.stringify(schemaResources(types, baseUrl)), 'null')
})

t.test('RFC 7644 §3.4.2: a list, even when it is empty', async (t) => {
  t.strictSame(listResponse([], { totalResults: 0, startIndex: 1 }), {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
    totalResults: 0,
    startIndex: 1,
    itemsPerPage: 0,
    Resources: [],
  })
})
