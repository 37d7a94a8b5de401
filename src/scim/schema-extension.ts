import type { Attribute, Schema } from './attribute.ts'

/** A schema of an operator's own, and what it extends (RFC 7643 §3.3). */
export interface SchemaExtension {
  readonly resourceType: 'User' | 'Group'
  /** Whether every resource of the type must carry it. */
  readonly required: boolean
  readonly schema: Schema
}

/** An attribute as an operator writes it, in the words of RFC 7643 §7: all but the name may be left out. */
export type DeclaredAttribute = {
  readonly [Key in Exclude<keyof Attribute, 'name' | 'subAttributes'>]?: Attribute[Key] | undefined
} & {
  readonly name: string
  readonly subAttributes?: readonly DeclaredAttribute[] | undefined
}

export interface DeclaredExtension {
  readonly resourceType: SchemaExtension['resourceType']
  readonly required?: boolean | undefined
  readonly schema: Omit<Schema, 'description' | 'attributes'> & {
    readonly description?: string | undefined
    readonly attributes: readonly DeclaredAttribute[]
  }
}

/** With what it leaves unsaid, and without what has no meaning for its types. */
export const completeExtension = ({
  resourceType,
  required = false,
  schema,
}: DeclaredExtension): SchemaExtension => ({
  resourceType,
  required,
  schema: {
    id: schema.id,
    name: schema.name,
    description: schema.description ?? '',
    attributes: schema.attributes.map(completeAttribute),
  },
})

/**
 * The defaults of RFC 7643 §2.2. References and binary values are case-exact (§2.3.6, §2.3.7), though the RFC's own
 * tables call some of either caseless: a reference that says so is taken at its word, base64 is not.
 */
function completeAttribute(declared: DeclaredAttribute): Attribute {
  const { name, type = 'string', canonicalValues = [], referenceTypes = [], subAttributes = [] } = declared
  const isText = type === 'string' || type === 'reference' || type === 'binary'
  const caseExact = type === 'binary' || (declared.caseExact ?? type === 'reference')
  return {
    name,
    type,
    multiValued: declared.multiValued ?? false,
    description: declared.description ?? '',
    required: declared.required ?? false,
    ...(canonicalValues.length > 0 && { canonicalValues }),
    ...(isText && { caseExact }),
    mutability: declared.mutability ?? 'readWrite',
    returned: declared.returned ?? 'default',
    ...(type !== 'complex' && type !== 'boolean' && { uniqueness: 'none' }),
    ...(referenceTypes.length > 0 && { referenceTypes }),
    ...(type === 'complex' && { subAttributes: subAttributes.map(completeAttribute) }),
  }
}
