/** All that can be told. A word before the dot names what it is about, and may be searched for alone. */
export const AUDIT_OPERATIONS = [
  'user.create',
  'user.change',
  'user.delete',
  'group.create',
  'group.change',
  'group.delete',
  /** Writes to Campaign Manager, with what became of them. `disable` and `enable` are replacements that do that. */
  'account.create',
  'account.replace',
  'account.disable',
  'account.enable',
  'account.release',
  'account.delete',
  /** An account of Campaign Manager became this user's: known by its external id or from a former user, or by its address. */
  'account.link',
  'account.adopt',
  /** An account of this user was gone without our doing. */
  'account.missing',
  'deletions.hold',
  'deletions.release',
  'deletions.cancel',
  'token.create',
  'token.rotate',
  'token.revoke',
  'client.create',
  'client.rotate',
  'client.change',
  'client.revoke',
  'tenant.create',
  'tenant.change',
  'tenant.disable',
  'tenant.enable',
  'tenant.delete',
  'audit.erase',
  'audit.prune',
] as const

export type AuditOperation = (typeof AUDIT_OPERATIONS)[number]

export type AuditResourceType = 'User' | 'Group' | 'Account' | 'Token' | 'Client' | 'Tenant'

/** Who did something, and with which request. */
export interface Author {
  /** A credential (`SCIM_TOKEN`, `token:…`, `client:…`), or one of OPERATOR, RECONCILER and SERVICE. */
  readonly actor: string
  readonly requestId?: string | undefined
}

/** Somebody at the command line. */
export const OPERATOR: Author = { actor: 'operator' }
export const RECONCILER: Author = { actor: 'reconciler' }
/** What the service does by itself when it starts, or in the course of time. */
export const SERVICE: Author = { actor: 'service' }

/** What an entry about something else does to users. */
export type Effect = 'joined' | 'left' | 'concerned'

/** What happened. Ids, names of attributes and names of roles; never a person's name or address, never a secret. */
export interface AuditEvent {
  readonly operation: AuditOperation
  readonly resourceType: AuditResourceType
  /** The account of a user goes by the user's id. */
  readonly resourceId?: string | undefined
  readonly attributes?: readonly string[]
  /** What the account was to hold after a write, and what it held before. */
  readonly wantedRoles?: readonly string[]
  readonly observedRoles?: readonly string[]
  /** Left out: it was done. `unknown`: it may have been. */
  readonly result?: 'ok' | 'failed' | 'unknown'
  readonly reason?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>>
  readonly subjects?: Readonly<Partial<Record<Effect, readonly string[]>>>
}
