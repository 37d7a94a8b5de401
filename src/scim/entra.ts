/**
 * Where Microsoft Entra ID departs from the RFCs, or needs more than they grant. Every rule names the fixture in
 * test/fixtures/entra that shows it. Two more live in the tables of names, since they concern names only: dotted keys
 * (patch-pathless-dotted-keys) and `manager` without its URN (manager-add-bare-path); see attribute.ts. Attributes and
 * schema URNs that nobody declares are ignored as everywhere (create-group-microsoft-urn, create-user-nulls).
 */
import { isObject, type JsonObject } from './attribute.ts'
import type { Filter } from './filter.ts'

/** Booleans come as strings of any case, for Boolean attributes (disable-string-false, create-role-primary-string). */
export function booleanFromText(text: string): boolean | undefined {
  switch (text.toLowerCase()) {
    case 'true':
      return true
    case 'false':
      return false
    default:
      return undefined
  }
}

/**
 * RFC 7643 §2.5 makes null and [] the same as unassigned. Entra's tests clear with an empty string
 * (clear-with-empty-string) and create with many explicit nulls (create-user-nulls).
 */
export const isUnassigned = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)

/**
 * A manager is sent as an object, a plain string (manager-replace-string), or an array of one (manager-add-bare-path);
 * and is removed by an empty string (manager-remove-empty-string) or an empty value (manager-remove-empty-value).
 * Returns what remains as an object, undefined for "no manager", and anything else as it came.
 */
export function referenceFromClient(sent: unknown): unknown {
  const value = Array.isArray(sent) && sent.length === 1 ? sent[0] : sent
  if (isUnassigned(value)) return undefined
  if (typeof value === 'string') return { value }
  if (!isObject(value)) return value
  const id = Object.entries(value).find(([name]) => name.toLowerCase() === 'value')
  return id && isUnassigned(id[1]) ? undefined : value
}

/** One value of a multi-valued attribute may come without its array (emails-single-object). */
export const listFromClient = (sent: unknown): readonly unknown[] =>
  isUnassigned(sent) ? [] : Array.isArray(sent) ? sent : [sent]

/** ... and as its bare value (emails-plain-string, add-member-plain-string). */
export const elementFromClient = (sent: unknown): unknown =>
  typeof sent === 'string' ? { value: sent } : sent

/**
 * AppRoleAssignmentsComplex puts a whole app role as JSON text into `value` (roles-json-in-value). Its id is Entra's own
 * and is left out.
 */
export function roleFromClient(element: JsonObject): JsonObject {
  const { value } = element
  if (typeof value !== 'string' || !value.startsWith('{')) return element
  const role = parseObject(value)
  if (typeof role?.value !== 'string') return element
  return {
    ...element,
    value: role.value,
    ...(typeof role.displayName === 'string' && { display: role.displayName }),
  }
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    // No JSON, so it is the name of a role that begins with a brace.
    return undefined
  }
}

/**
 * The element that a filter of `eq` alone describes. RFC 7644 §3.5.2.3 answers noTarget when a value path matches
 * nothing; Entra expects the element to be created (add-work-email-when-absent, replace-work-email-when-absent).
 */
export function elementDescribedBy(filter: Filter): JsonObject | undefined {
  if (filter.kind === 'compare' && filter.op === 'eq') {
    return { [(filter.path.subAttribute ?? filter.path.attribute).name]: filter.value }
  }
  if (filter.kind !== 'and') return undefined
  const left = elementDescribedBy(filter.left)
  const right = elementDescribedBy(filter.right)
  if (!left || !right) return undefined
  return Object.keys(left).some((name) => name in right && right[name] !== left[name])
    ? undefined
    : { ...left, ...right }
}
