import { nameKey } from './attribute.ts'
import { equalValues } from './equal.ts'
import { completeExtension, type DeclaredAttribute, type DeclaredExtension } from './schema-extension.ts'

/** What is wrong, and where in the list it stands: `[0].schema.attributes[2].name`. */
export interface DeclarationFault {
  readonly at: string
  readonly says: string
}

const MAX_ATTRIBUTES = 200

/** RFC 8141 §2, without the components that no name has: `urn:` NID `:` NSS. */
const URN =
  /^urn:[a-z0-9][a-z0-9-]{0,30}[a-z0-9]:(?:[\w\-.~!$&'()*+,;=:@]|%[0-9a-f]{2})(?:[\w\-.~!$&'()*+,;=:@/]|%[0-9a-f]{2})*$/i

/** RFC 7643 §2.1. */
const NAME = /^[a-z][a-z0-9_-]*$/i

/** What is not said on one declaration alone, but on all together. */
export function listFaults(declared: readonly DeclaredExtension[]): DeclarationFault[] {
  return declared.flatMap((extension, index): DeclarationFault[] => {
    const at = `[${index}].schema.id`
    const { resourceType, schema } = extension
    const faults = declared.flatMap((other, place): string[] => {
      const isSameType = other.resourceType === resourceType
      if (isSameType && pathsOf(other).has(nameKey(schema.id))) {
        return [`is also the name of an attribute of [${place}]`]
      }
      if (place >= index || nameKey(other.schema.id) !== nameKey(schema.id)) return []
      if (isSameType) return [`is that of [${place}], too`]
      const isOne = equalValues(completeExtension(other).schema, completeExtension(extension).schema)
      return isOne ? [] : [`is that of [${place}], too, and the two schemas differ`]
    })
    return faults.map((says) => ({ at, says }))
  })
}

const pathsOf = ({ schema }: DeclaredExtension): Set<string> =>
  new Set(
    schema.attributes.flatMap(({ name, subAttributes = [] }) =>
      [name, ...subAttributes.map((sub) => `${name}.${sub.name}`)].map((each) =>
        nameKey(`${schema.id}:${each}`),
      ),
    ),
  )

/** The name of a schema, as it can stand in filters, paths and lists of attributes. */
export const idFaults = (id: string): DeclarationFault[] => {
  const says = idFault(id)
  return says === undefined ? [] : [{ at: '', says }]
}

function idFault(id: string): string | undefined {
  if (!URN.test(id))
    return 'must be a URN such as urn:example:params:scim:schemas:extension:acme:2.0:User (RFC 8141)'
  if (`${nameKey(id)}:`.startsWith('urn:ietf:params:scim:')) {
    return 'must not begin with urn:ietf:params:scim, which is for the standards'
  }
  if (id.endsWith(':')) return 'must not end with a colon, which stands between a schema and its attributes'
  return /[%/(),]/.test(id)
    ? "must not contain '%', '/', '(', ')' or ',', which filters and addresses cannot hold"
    : undefined
}

/** @param attributes those that have their form; the others count one each */
export function countFaults(attributes: readonly (DeclaredAttribute | undefined)[]): DeclarationFault[] {
  const count = attributes.reduce((sum, each) => sum + 1 + (each?.subAttributes?.length ?? 0), 0)
  const says = `must not be more than ${MAX_ATTRIBUTES}, those within them counted; there are ${count}`
  return count > MAX_ATTRIBUTES ? [{ at: '', says }] : []
}

/** Names that are there twice; RFC 7643 §2.1 compares them without case. */
export const repeatedNames = (names: readonly (string | undefined)[]): DeclarationFault[] =>
  names.flatMap((name, index) => {
    const first = names.findIndex(
      (each) => each !== undefined && name !== undefined && nameKey(each) === nameKey(name),
    )
    return first !== -1 && first < index
      ? [{ at: `[${index}].name`, says: `is that of [${first}], too` }]
      : []
  })

/** @param within the attribute whose part it is */
export function attributeFaults(declared: DeclaredAttribute, within?: DeclaredAttribute): DeclarationFault[] {
  const { name, type = 'string', canonicalValues = [], referenceTypes = [] } = declared
  const nameFault = nameFaultOf(name, within)
  return [
    ...(nameFault === undefined ? [] : [{ at: '.name', says: nameFault }]),
    ...faultIf(canonicalValues.length > 0 && type !== 'string', 'canonicalValues', notFor('string')),
    ...faultIf(referenceTypes.length > 0 && type !== 'reference', 'referenceTypes', notFor('reference')),
    ...promiseFaults(declared, within),
    ...(within ? depthFaults(declared) : partsFaults(declared)),
  ]
}

const faultIf = (isFault: boolean, name: keyof DeclaredAttribute, says: string): DeclarationFault[] =>
  isFault ? [{ at: `.${name}`, says }] : []

const notFor = (type: string): string => `must not be given for another type than ${type}`

/** RFC 7643 §2.3.8: a part has no parts. */
function depthFaults({
  type,
  multiValued = false,
  subAttributes = [],
}: DeclaredAttribute): DeclarationFault[] {
  const isComplex = type === 'complex'
  const within = 'within a complex attribute (RFC 7643 §2.3.8)'
  return [
    ...faultIf(isComplex, 'type', `must not be "complex" ${within}`),
    ...faultIf(!isComplex && subAttributes.length > 0, 'subAttributes', `must not be given ${within}`),
    ...faultIf(multiValued, 'multiValued', 'must not be true: here a part has one value'),
  ]
}

function partsFaults(declared: DeclaredAttribute): DeclarationFault[] {
  const { type, subAttributes = [] } = declared
  const isComplex = type === 'complex'
  const inParts = subAttributes.flatMap((sub, index) =>
    attributeFaults(sub, declared).map(({ at, says }) => ({ at: `[${index}]${at}`, says })),
  )
  return [
    ...faultIf(
      isComplex && subAttributes.length === 0,
      'subAttributes',
      'must be given for the type complex',
    ),
    ...faultIf(!isComplex && subAttributes.length > 0, 'subAttributes', notFor('complex')),
    ...[...repeatedNames(subAttributes.map(({ name }) => name)), ...inParts].map(({ at, says }) => ({
      at: `.subAttributes${at}`,
      says,
    })),
  ]
}

function nameFaultOf(name: string, within: DeclaredAttribute | undefined): string | undefined {
  if (within && name === '$ref') return undefined
  if (!NAME.test(name)) return 'must be a letter, followed by letters, digits, "-" and "_" (RFC 7643 §2.1)'
  return name in Object.prototype || nameKey(name) === 'prototype'
    ? 'must not be a name that every JavaScript object has'
    : undefined
}

/** What may be asked for by the RFC, and would not be true here. */
function promiseFaults(
  declared: DeclaredAttribute,
  within: DeclaredAttribute | undefined,
): DeclarationFault[] {
  const { mutability, returned, uniqueness = 'none' } = declared
  const isFixedPart = mutability === 'immutable' && within?.multiValued === true
  return [
    ...faultIf(
      mutability === 'readOnly',
      'mutability',
      'must not be "readOnly": nobody but a client would set it',
    ),
    ...faultIf(mutability === 'writeOnly', 'mutability', 'must not be "writeOnly": what is kept can be read'),
    ...faultIf(isFixedPart, 'mutability', 'must not be "immutable" within an attribute of several values'),
    ...faultIf(returned === 'never', 'returned', 'must not be "never": nothing here could use the value'),
    ...faultIf(
      uniqueness !== 'none',
      'uniqueness',
      'must be "none": values are not compared between resources',
    ),
  ]
}
