import { setImmediate } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import type { Database } from '../db/tables.ts'
import { lockAccounts, refreshStanding } from '../directory/accounts.ts'
import {
  addMembers,
  type MemberMatch,
  memberIds,
  presentMembers,
  removeMembers,
  resolveMembers,
} from '../directory/members.ts'
import { isResourceId } from '../directory/stored-resource.ts'
import { invalidValue, ScimError } from '../scim/error.ts'
import { elementMatches } from '../scim/filter-match.ts'
import type { MemberChange } from '../scim/members.ts'

/** Of filters on members that name more than an id. Each is compared with every member. */
const MAX_FILTERS = 10
/** After so many members others have their turn, lest a probe, or a lease that is to be renewed, wait for a large group. */
const BREATH = 1000

/** The net effect of a request's member operations: who must be in the group afterwards, and who must not. */
interface MembershipDelta {
  /** Whether those not named stay. */
  everyoneElse: 'stay' | 'leave'
  /** In the order given, which becomes the order of joining. */
  readonly join: Set<string>
  readonly leave: Set<string>
}

/**
 * Applies member operations to a group that the caller has locked, and returns who joined and who left. A
 * value that no user is known by refuses the whole request. One to be removed that has the form of our ids is let pass:
 * it is that of a user who was deleted, and so has left already.
 */
export async function changeMembers(
  trx: Transaction<Database>,
  tenantId: number,
  groupId: string,
  changes: readonly MemberChange[],
): Promise<{ joined: string[]; left: string[] }> {
  if (changes.length === 0) return { joined: [], left: [] }
  const matches = await resolveMembers(trx, tenantId, changes.flatMap(namedValues))
  const delta = await foldChanges(trx, tenantId, groupId, changes, matches)
  const named = [...delta.join, ...delta.leave]
  const present = new Set(
    delta.everyoneElse === 'leave'
      ? await memberIds(trx, tenantId, groupId)
      : await presentMembers(trx, tenantId, groupId, named),
  )
  const joining = [...delta.join].filter((id) => !present.has(id))
  const leaving = [...present].filter((id) =>
    delta.everyoneElse === 'leave' ? !delta.join.has(id) : delta.leave.has(id),
  )
  const changed = [...joining, ...leaving]
  const alive = await lockAccounts(trx, tenantId, changed)
  const gone = joining.find((id) => !alive.has(id))
  if (gone !== undefined) throw unknownMember(gone)
  await removeMembers(trx, tenantId, groupId, leaving)
  await addMembers(trx, tenantId, groupId, joining)
  await refreshStanding(trx, tenantId, changed)
  return { joined: joining, left: leaving }
}

const namedValues = (change: MemberChange): readonly string[] =>
  change.kind === 'removeWhere' ? [] : change.values

/** Operations apply in sequence (RFC 7644 §3.5.2): a later one overrides what an earlier one said of the same user. */
async function foldChanges(
  db: Kysely<Database>,
  tenantId: number,
  groupId: string,
  changes: readonly MemberChange[],
  matches: ReadonlyMap<string, MemberMatch>,
): Promise<MembershipDelta> {
  if (changes.filter(({ kind }) => kind === 'removeWhere').length > MAX_FILTERS) {
    throw new ScimError(400, 'tooMany', `members: more than ${MAX_FILTERS} filters in one request`)
  }
  let members: string[] | undefined
  const delta: MembershipDelta = { everyoneElse: 'stay', join: new Set(), leave: new Set() }
  const join = (id: string) => {
    delta.leave.delete(id)
    delta.join.add(id)
  }
  const leave = (id: string) => {
    delta.join.delete(id)
    delta.leave.add(id)
  }
  for (const change of changes) {
    switch (change.kind) {
      case 'add':
        for (const value of change.values) join(requiredMember(value, matches))
        break
      case 'remove':
        for (const value of change.values) {
          const match = matches.get(value)
          if (match === 'ambiguous') throw ambiguousMember(value)
          if (match !== undefined && match !== 'none') leave(match)
          else if (!isResourceId(value)) throw unknownMember(value)
        }
        break
      case 'replace':
        delta.everyoneElse = 'leave'
        delta.join.clear()
        delta.leave.clear()
        for (const value of change.values) join(requiredMember(value, matches))
        break
      case 'removeWhere': {
        members ??= await memberIds(db, tenantId, groupId)
        const current = delta.everyoneElse === 'leave' ? [] : members
        let looked = 0
        for (const id of new Set([...current, ...delta.join])) {
          if (elementMatches(change.filter, { value: id, type: 'User' })) leave(id)
          looked += 1
          if (looked % BREATH === 0) await setImmediate()
        }
      }
    }
  }
  return delta
}

function requiredMember(value: string, matches: ReadonlyMap<string, MemberMatch>): string {
  const match = matches.get(value)
  if (match === 'ambiguous') throw ambiguousMember(value)
  if (match === undefined || match === 'none') throw unknownMember(value)
  return match
}

const unknownMember = (value: string) => invalidValue(`members: no user is known by '${value}'`)

const ambiguousMember = (value: string) =>
  invalidValue(`members: more than one user has the e-mail address '${value}'`)
