import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '../db/tables.ts'
import type { Attribute, Resource, ResourceType } from '../scim/attribute.ts'
import { equalValues } from '../scim/equal.ts'
import { foldResource } from '../scim/resource.ts'
import { tableOf } from './resources.ts'

const BATCH = 500

/**
 * Makes the folded copies match, by which resources are searched, when extensions are declared otherwise than when they were
 * made: an attribute that is declared anew must be found too in resources that had it before. Returns how many changed.
 */
export async function refoldExtensions(db: Kysely<Database>, type: ResourceType): Promise<number> {
  const name = type.name === 'User' ? 'User' : 'Group'
  const declaration = JSON.stringify(
    type.extensions.flatMap(({ schema, isStandard }) =>
      isStandard ? [] : [[schema.id, shapesOf(schema.attributes)]],
    ),
  )
  const known = await db
    .selectFrom('declared_extensions')
    .select('declaration')
    .where('resource_type', '=', name)
    .executeTakeFirst()
  if ((known?.declaration ?? '[]') === declaration) return 0
  const changed = await refoldAll(db, type)
  await db
    .insertInto('declared_extensions')
    .values({ resource_type: name, declaration })
    .onConflict((conflict) => conflict.column('resource_type').doUpdateSet({ declaration }))
    .execute()
  return changed
}

/** What of a declaration decides how a value is folded. */
const shapesOf = (attributes: readonly Attribute[]): unknown[] =>
  attributes.map(({ name, type, multiValued, caseExact, subAttributes }) => [
    name,
    type,
    multiValued,
    caseExact === true,
    ...(subAttributes ? [shapesOf(subAttributes)] : []),
  ])

async function refoldAll(db: Kysely<Database>, type: ResourceType): Promise<number> {
  const tenants = await db.selectFrom('tenant').select('tenant_id').orderBy('tenant_id').execute()
  let changed = 0
  for (const { tenant_id } of tenants) {
    for (let after: string | undefined = '0'; after !== undefined; ) {
      const batch = await refoldBatch(db, type, tenant_id, after)
      changed += batch.changed
      after = batch.last
    }
  }
  return changed
}

const standardUrns = ({ extensions }: ResourceType): string[] =>
  extensions.flatMap(({ schema, isStandard }) => (isStandard ? [schema.id] : []))

interface Row {
  readonly id: string
  readonly position: string
  readonly version: string
  readonly attributes: Resource
  readonly search: Resource
}

async function refoldBatch(
  db: Kysely<Database>,
  type: ResourceType,
  tenantId: number,
  after: string,
): Promise<{ changed: number; last: string | undefined }> {
  const table = sql.table(tableOf(type))
  const { rows } = await sql<Row>`
    select id, position, version, attributes, search from ${table}
    where tenant_id = ${tenantId} and position > ${after}
      and exists (
        select from jsonb_object_keys(attributes) as name
        where name like '%:%' and name <> all(${standardUrns(type)}::text[]))
    order by position limit ${BATCH}`.execute(db)
  let changed = 0
  for (const { id, version, attributes, search } of rows) {
    const folded = foldResource(type, attributes)
    if (equalValues(folded, search)) continue
    // Whoever changed it meanwhile has folded it too.
    await sql`
      update ${table} set search = ${JSON.stringify(folded)}::jsonb
      where tenant_id = ${tenantId} and id = ${id} and version = ${version}`.execute(db)
    changed += 1
  }
  return { changed, last: rows.at(-1)?.position }
}
