export type JsonObject = { [name: string]: unknown }

/**
 * What a client said about a user or group, under the schemas' own spelling of names; extensions stand under their URN.
 * Without `schemas`, `id` and `meta`, which the server says.
 */
export type Resource = JsonObject

/** RFC 7643 §7, as far as this service uses it. */
export interface Attribute {
  readonly name: string
  readonly type:
    | 'string'
    | 'boolean'
    | 'decimal'
    | 'integer'
    | 'dateTime'
    | 'reference'
    | 'binary'
    | 'complex'
  readonly multiValued: boolean
  readonly description: string
  readonly required: boolean
  readonly canonicalValues?: readonly string[]
  readonly caseExact?: boolean
  readonly mutability: 'readOnly' | 'readWrite' | 'immutable' | 'writeOnly'
  readonly returned: 'always' | 'never' | 'default' | 'request'
  readonly uniqueness?: 'none' | 'server' | 'global'
  readonly referenceTypes?: readonly string[]
  readonly subAttributes?: readonly Attribute[]
}

export interface Schema {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly attributes: readonly Attribute[]
}

/** An attribute and where it stands in a resource. */
export interface AttributePath {
  /** The URN of the schema that declares it; for `schemas`, `id` and `meta` that of the resource's core schema. */
  readonly schema: string
  readonly isExtension: boolean
  readonly attribute: Attribute
  readonly subAttribute?: Attribute
}

export interface ResourceType {
  readonly name: string
  readonly endpoint: string
  readonly description: string
  readonly schema: Schema
  readonly extensions: readonly {
    readonly schema: Schema
    readonly required: boolean
    /** One of the RFCs': its attributes may be named without the URN, where the core schema leaves the name free. */
    readonly isStandard?: boolean
  }[]
  /** Every name that a client may give an attribute, in lower case: bare, dotted, with the URN in front. */
  readonly paths: ReadonlyMap<string, AttributePath>
  /** By URN in lower case. */
  readonly schemas: ReadonlyMap<string, Schema>
}

type Declaration = Omit<ResourceType, 'paths' | 'schemas'>

/** RFC 7643 §2.1 and §3: names of attributes and URNs of schemas are compared without case. */
export const nameKey = (name: string): string => name.toLowerCase()

/**
 * Makes a resource type out of its tables. All look-ups of names that come from a client go through the maps built here,
 * so a name that no table declares (`__proto__`, `constructor`) is simply not there.
 */
export function resourceType(declaration: Declaration, serverAttributes: readonly Attribute[]): ResourceType {
  const { schema, extensions } = declaration
  const paths = new Map<string, AttributePath>()

  const add = (urn: string, isExtension: boolean, attribute: Attribute, bareNames = true) => {
    const prefixes = [`${urn}:`, ...(bareNames && !paths.has(nameKey(attribute.name)) ? [''] : [])]
    for (const prefix of prefixes) {
      const name = nameKey(prefix + attribute.name)
      paths.set(name, { schema: urn, isExtension, attribute })
      for (const subAttribute of partsOf(attribute)) {
        const path = { schema: urn, isExtension, attribute, subAttribute }
        paths.set(`${name}.${nameKey(subAttribute.name)}`, path)
      }
    }
  }

  for (const attribute of [...serverAttributes, ...schema.attributes]) add(schema.id, false, attribute)
  for (const extension of extensions) {
    const { schema, isStandard = false } = extension
    for (const attribute of schema.attributes) add(schema.id, true, attribute, isStandard)
  }
  const schemas = [schema, ...extensions.map((extension) => extension.schema)]
  return { ...declaration, paths, schemas: new Map(schemas.map((each) => [nameKey(each.id), each])) }
}

/** The values of a simple list are called `value` where one of them is picked: `tags[value eq "a"]`. */
const partsOf = (attribute: Attribute): readonly Attribute[] =>
  isSimpleList(attribute)
    ? [{ ...attribute, name: 'value', multiValued: false }]
    : (attribute.subAttributes ?? [])

/** The sub-attribute of that name, which is the schemas' own spelling. */
export const subAttributeNamed = (attribute: Attribute, name: string): Attribute | undefined =>
  attribute.subAttributes?.find((each) => each.name === name)

/** Several values that have no parts. */
export const isSimpleList = ({ type, multiValued }: Attribute): boolean => multiValued && type !== 'complex'

/** A value and where it is to be found (RFC 7643 §2.3.7): one thing, of which the parts do not change on their own. */
export const isReference = (attribute: Attribute): boolean =>
  attribute.type === 'complex' &&
  !attribute.multiValued &&
  ['value', '$ref'].every((name) => subAttributeNamed(attribute, name) !== undefined)

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
