import type { Resource } from '../scim/attribute.ts'
import { readMemberValues } from '../scim/members.ts'
import { readResource } from '../scim/resource.ts'
import { groupType } from '../scim/resource-types.ts'

/** A group's body, its members apart: they are kept as rows, never in the document. */
export function readGroup(body: unknown): { attributes: Resource; displayName: string; members: string[] } {
  const { members, ...attributes } = readResource(groupType, body)
  return { attributes, displayName: String(attributes.displayName), members: readMemberValues(members) }
}
