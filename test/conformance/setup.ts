import type { Test } from 'tap'
import { createTenant } from '../../src/access/tenants.ts'
import { issueToken } from '../../src/access/tokens.ts'
import {
  type Answer,
  ERROR_SCHEMA,
  GROUP_SCHEMA,
  PATCH_SCHEMA,
  type ScimRequest,
  scimClient,
} from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'

export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
export const GROUP = GROUP_SCHEMA
export const PATCH_OP = PATCH_SCHEMA
export const LIST_RESPONSE = 'urn:ietf:params:scim:api:messages:2.0:ListResponse'
export const SEARCH_REQUEST = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest'
export const BULK_REQUEST = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest'
export const BULK_RESPONSE = 'urn:ietf:params:scim:api:messages:2.0:BulkResponse'
export const UNKNOWN_ID = 'a5d3a4b6-2f0e-4c1e-9d43-0f5a1d1b7c11'

/** RFC 7644 §3.12, Table 9, and what RFC 9865 adds to it. */
const SCIM_TYPES = [
  'invalidFilter',
  'tooMany',
  'uniqueness',
  'mutability',
  'invalidSyntax',
  'invalidPath',
  'noTarget',
  'invalidValue',
  'invalidVers',
  'sensitive',
  'invalidCursor',
  'expiredCursor',
  'invalidCount',
]

/** A body as it came, of any shape. */
export type Body = Answer['body']

export interface Conformance {
  readonly url: string
  /** A client of a tenant of its own: whatever other rules leave behind is not in its directory. */
  tenant(): Promise<ScimRequest>
}

/** One service for all the rules of a file, in whose Campaign Manager the roles 'Role 1' to 'Role 40' exist. */
export async function startConformance(t: Test): Promise<Conformance> {
  const roles = ['Placeholder', ...Array.from({ length: 40 }, (_, index) => `Role ${index + 1}`)]
  const { url, database } = await startTestService(t, { roles })
  let tenants = 0
  return {
    url,
    async tenant() {
      const name = `rule-${++tenants}`
      await createTenant(database.db, name)
      const issued = await issueToken(database.db, name, 'conformance', undefined)
      return scimClient(url, issued?.token ?? '')
    },
  }
}

export const user = (name: string, more: object = {}): object => ({
  schemas: [USER],
  userName: `${name}@example.com`,
  ...more,
})

export const group = (displayName: string, ...members: string[]): object => ({
  schemas: [GROUP],
  displayName,
  ...(members.length > 0 && { members: members.map((value) => ({ value })) }),
})

export const patch = (...operations: object[]): object => ({ schemas: [PATCH_OP], Operations: operations })

/** Creates a resource that the rule needs, and answers it. */
export async function make(t: Test, scim: ScimRequest, endpoint: string, body: object): Promise<Body> {
  const answer = await scim('POST', endpoint, body)
  if (answer.status !== 201) t.fail(`POST ${endpoint} answered ${answer.status}`, { found: answer.body })
  return answer.body
}

export const makeUser = (t: Test, scim: ScimRequest, name: string, more: object = {}): Promise<Body> =>
  make(t, scim, '/Users', user(name, more))

export const makeGroup = (
  t: Test,
  scim: ScimRequest,
  displayName: string,
  ...members: string[]
): Promise<Body> => make(t, scim, '/Groups', group(displayName, ...members))

export const query = (parameters: Readonly<Record<string, string>>): string =>
  `?${Object.entries(parameters)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')}`

/** What a filter finds, by name and in order of name; or the status, when it is not 200. */
export async function found(
  scim: ScimRequest,
  filter: string,
  endpoint = '/Users',
): Promise<string[] | number> {
  const { status, body } = await scim('GET', `${endpoint}${query({ filter })}`)
  return status === 200 ? namesOf(body).sort() : status
}

/** The resources of a list by what comes before the @ of their userName, else by displayName. */
export const namesOf = (list: Body): string[] =>
  (list.Resources ?? []).map((each: Body) => each.userName?.split('@')[0] ?? each.displayName)

/** RFC 7644 §3.12: an error as SCIM wants it. Without a scimType none is asked for, but a given one is one of Table 9. */
export function refused(
  t: Test,
  { status, headers, body }: Answer,
  expected: number,
  scimType: string | undefined,
  what: string,
): void {
  const given = body?.scimType
  t.strictSame(
    {
      status,
      contentType: headers.get('content-type'),
      schemas: body?.schemas,
      statusInBody: body?.status,
      detail: typeof body?.detail,
      scimType: scimType === undefined && SCIM_TYPES.includes(given) ? undefined : given,
    },
    {
      status: expected,
      contentType: 'application/scim+json',
      schemas: [ERROR_SCHEMA],
      statusInBody: String(expected),
      detail: 'string',
      scimType,
    },
    what,
  )
}
