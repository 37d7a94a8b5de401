import type pg from 'pg'

/**
 * SQL that gives every table of a clone the rows, and every sequence the place, that they have in this database; undefined
 * where this user may not switch triggers off, which keep the audit trail from being emptied.
 */
export async function resetScript(client: pg.Client): Promise<string | undefined> {
  const { rows: privileges } = await client.query('show is_superuser')
  if (privileges[0]?.is_superuser !== 'on') return undefined
  const { rows: tables } = await client.query(
    `select quote_ident(relname) as name,
       (select string_agg(quote_ident(attname), ', ') from pg_attribute
        where attrelid = pg_class.oid and attnum > 0 and not attisdropped and attgenerated = '') as columns
     from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname !~ '^kysely_'`,
  )
  const { rows: sequences } = await client.query(
    `select quote_literal(quote_ident(sequencename)) as name, coalesce(last_value, start_value) as place,
       last_value is not null as used from pg_sequences where schemaname = 'public'`,
  )
  const statements = ['set local session_replication_role = replica']
  for (const { name, columns } of tables) {
    statements.push(`delete from ${name}`)
    const { rows } = await client.query(`select quote_literal(json_agg(row)) as content from ${name} row`)
    const content = rows[0]?.content
    if (content === null) continue
    statements.push(
      `insert into ${name} (${columns}) overriding system value
       select ${columns} from json_populate_recordset(null::${name}, ${content})`,
    )
  }
  for (const { name, place, used } of sequences) statements.push(`select setval(${name}, ${place}, ${used})`)
  return statements.join(';\n')
}
