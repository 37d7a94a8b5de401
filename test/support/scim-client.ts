/** What a request was answered with; `body` is undefined when there was none. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
  readonly body: any
}

export type ScimRequest = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answer>

/** Sends requests to `<url>/scim/v2<path>` over real HTTP, as a SCIM client does. */
export function scimClient(url: string, token: string): ScimRequest {
  return async (method, path, body, headers = {}) => {
    const response = await fetch(`${url}/scim/v2${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/scim+json; charset=utf-8' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    }
  }
}

export const USER_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const GROUP_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:Group'
export const PATCH_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:PatchOp'
export const ERROR_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:Error'

/** A user as Entra creates it, named after its address. */
export const userBody = (name: string, more: object = {}): object => ({
  schemas: [USER_SCHEMA, 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'],
  externalId: `entra-${name}`,
  userName: `${name}@example.com`,
  active: true,
  displayName: name,
  emails: [{ primary: true, type: 'work', value: `${name}@example.com` }],
  meta: { resourceType: 'User' },
  name: { formatted: name, familyName: 'Test', givenName: name },
  roles: [],
  ...more,
})

export const groupBody = (displayName: string, more: object = {}): object => ({
  schemas: [GROUP_SCHEMA, 'http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group'],
  externalId: `entra-${displayName}`,
  displayName,
  meta: { resourceType: 'Group' },
  ...more,
})

export const patchBody = (...operations: object[]): object => ({
  schemas: [PATCH_SCHEMA],
  Operations: operations,
})

/** Entra's default dialect. */
export const addMembers = (...ids: string[]): object =>
  patchBody({ op: 'Add', path: 'members', value: ids.map((value) => ({ $ref: null, value })) })

export const removeMembers = (...ids: string[]): object =>
  patchBody({ op: 'Remove', path: 'members', value: ids.map((value) => ({ $ref: null, value })) })

export const setActive = (active: boolean): object =>
  patchBody({ op: 'Replace', path: 'active', value: active ? 'True' : 'False' })
