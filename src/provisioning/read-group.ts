import type { Resource, ResourceType } from '../scim/attribute.ts'
import { readMemberValues } from '../scim/members.ts'
import { readResource } from '../scim/resource.ts'

/** A group's body, its members apart: they are kept as rows, never in the document. */
export function readGroup(
  type: ResourceType,
  body: unknown,
): { attributes: Resource; displayName: string; members: string[] } {
  const { members, ...attributes } = readResource(type, body)
  return { attributes, displayName: String(attributes.displayName), members: readMemberValues(members) }
}
