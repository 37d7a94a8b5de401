import { type RawBuilder, sql } from 'kysely'
import { type Attribute, type AttributePath, isSimpleList, type ResourceType } from '../scim/attribute.ts'
import { fold } from '../scim/fold.ts'
import type { TextExpression } from './leaf-sql.ts'

/** Whose rows are read, and where clients see them. */
export interface Scope {
  readonly type: ResourceType
  /** What stands before `/Users/{id}` in a location. */
  readonly base: string
}

/** Rows that stand for the elements of a multi-valued attribute, and the parts of one such row. */
export interface Elements {
  /** What follows `from`, up to and including a `where` that others can be added to. */
  readonly from: RawBuilder<unknown>
  /** The part of that name, null where this attribute never has it. */
  part(subAttribute: string | undefined): TextExpression
  /** What follows `order by` to put first the element that a list is sorted by: the primary one, or the first. */
  readonly order: RawBuilder<unknown>
}

const millisecondsOf = (column: RawBuilder<unknown>): TextExpression =>
  sql`(extract(epoch from ${column}) * 1000)::bigint::text`

/** What is kept in columns, or follows from them, and not in the document. By attribute, or attribute and part. */
const columns: Readonly<Record<string, TextExpression>> = {
  id: sql`id::text`,
  externalId: sql`external_id`,
  active: sql`active::text`,
  'meta.created': millisecondsOf(sql`created_at`),
  'meta.lastModified': millisecondsOf(sql`last_modified`),
  'meta.version': sql`'W/"' || version || '"'`,
}

/** The one value of a single-valued attribute, or of a part of it. */
export function singleValue({ type, base }: Scope, path: AttributePath): TextExpression {
  const { schema, isExtension, attribute, subAttribute } = path
  const name = subAttribute ? `${attribute.name}.${subAttribute.name}` : attribute.name
  if (!isExtension) {
    if (name === 'meta.resourceType') return sql`${type.name}::text`
    if (name === 'meta.location') return sql`(${`${base}${type.endpoint}/`}::text || id)`
    if (name === 'active' && type.name !== 'User') return sql`null::text`
    if (Object.hasOwn(columns, name)) return columns[name] ?? sql`null::text`
  }
  const steps = [
    ...(isExtension ? [schema] : []),
    attribute.name,
    ...(subAttribute ? [subAttribute.name] : []),
  ]
  return sql`(search #>> ${steps}::text[])`
}

/** The values of a multi-valued attribute. */
export function elementsOf({ type, base }: Scope, path: AttributePath): Elements {
  const { schema, isExtension, attribute } = path
  if (!isExtension && attribute.name === 'members') return members(base)
  if (!isExtension && attribute.name === 'groups') return groups(base)
  if (!isExtension && attribute.name === 'schemas') return schemasOf(type)
  const steps = [...(isExtension ? [schema] : []), attribute.name]
  return {
    from: sql`jsonb_array_elements(search #> ${steps}::text[]) with ordinality as element (value, place) where true`,
    part: (subAttribute) =>
      subAttribute === undefined || isSimpleList(attribute)
        ? sql`(element.value #>> '{}')`
        : sql`(element.value ->> ${subAttribute}::text)`,
    order: sql`coalesce(element.value ->> 'primary', 'false') desc, element.place`,
  }
}

const NOTHING: TextExpression = sql`null::text`

/** References are compared without case, as their schemas say, and so the base of the URI is folded. */
const members = (base: string): Elements => ({
  from: sql`group_member as member
    where member.tenant_id = scim_group.tenant_id and member.group_id = scim_group.id`,
  part: (subAttribute) => {
    switch (subAttribute) {
      case 'value':
        return sql`member.user_id::text`
      case '$ref':
        return sql`(${fold(`${base}/Users/`)}::text || member.user_id)`
      case 'type':
        return sql`'user'::text`
      default:
        return NOTHING
    }
  },
  order: sql`member.joined`,
})

const groups = (base: string): Elements => ({
  from: sql`group_member as member
    join scim_group as granted on granted.tenant_id = member.tenant_id and granted.id = member.group_id
    where member.tenant_id = scim_user.tenant_id and member.user_id = scim_user.id`,
  part: (subAttribute) => {
    switch (subAttribute) {
      case 'value':
        return sql`granted.id::text`
      case '$ref':
        return sql`(${fold(`${base}/Groups/`)}::text || granted.id)`
      case 'display':
        return sql`granted.name_key`
      case 'type':
        return sql`'direct'::text`
      default:
        return NOTHING
    }
  },
  order: sql`member.joined`,
})

/** RFC 7643 §3: the core schema, and the extensions of which attributes are there. */
const schemasOf = (type: ResourceType): Elements => ({
  from: sql`unnest(array[${fold(type.schema.id)}::text] || array(
      select extension.folded from unnest(
        ${type.extensions.map(({ schema }) => schema.id)}::text[],
        ${type.extensions.map(({ schema }) => fold(schema.id))}::text[]
      ) as extension (urn, folded)
      where search ? extension.urn)) as element (urn) where true`,
  part: () => sql`element.urn`,
  order: sql`element.urn`,
})

/** The attribute whose value is compared: the part, where there is one. */
export const leafOf = ({ attribute, subAttribute }: AttributePath): Attribute => subAttribute ?? attribute
