export interface Operation {
  readonly op: string
  readonly path: string
  readonly value?: unknown
}

/** How Entra writes its PATCH operations; reads and creates are the same in both. */
export interface Dialect {
  readonly name: string
  readonly tenantUrl: string
  readonly manner: string
  readonly setActive: (active: boolean) => readonly Operation[]
  readonly addMembers: (ids: readonly string[]) => readonly Operation[]
  readonly removeMembers: (ids: readonly string[]) => readonly Operation[]
}

const references = (ids: readonly string[]) => ids.map((value) => ({ $ref: null, value }))

export const dialects: readonly Dialect[] = [
  {
    name: 'default',
    tenantUrl: 'https://<host>/scim/v2',
    manner: 'Operations are in title case, false is the text "False", and a member leaves by its value.',
    setActive: (active) => [{ op: 'Replace', path: 'active', value: active ? 'True' : 'False' }],
    addMembers: (ids) => [{ op: 'Add', path: 'members', value: references(ids) }],
    removeMembers: (ids) => [{ op: 'Remove', path: 'members', value: references(ids) }],
  },
  {
    name: 'aadOptscim062020',
    tenantUrl: 'https://<host>/scim/v2?aadOptscim062020',
    manner: 'Operations are in lower case, false is a boolean, and a member leaves by a path with a filter.',
    setActive: (active) => [{ op: 'replace', path: 'active', value: active }],
    addMembers: (ids) => [{ op: 'add', path: 'members', value: references(ids) }],
    removeMembers: (ids) => ids.map((id) => ({ op: 'remove', path: `members[value eq "${id}"]` })),
  },
]
