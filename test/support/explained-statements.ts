import pg from 'pg'
import type { Test } from 'tap'

/** A node of a plan as `explain (analyze, format json)` gives it. */
interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Join Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: readonly PlanNode[]
}

export interface ExplainedStatement {
  readonly text: string
  readonly milliseconds: number
  readonly nodes: readonly { readonly type: string; readonly table: string; readonly rows: number }[]
}

// biome-ignore lint/suspicious/noExplicitAny: stands in for every overload of pg's query
type Query = (...parameters: any[]) => any

/**
 * Runs `run` and explains every statement that this process sends meanwhile, in its own transaction just before it is
 * executed (and undone by a savepoint), so that each plan is of the very situation that the statement meets.
 */
export async function explainStatements(
  t: Test,
  run: () => Promise<unknown>,
): Promise<{ statements: ExplainedStatement[]; tables: Map<string, number> }> {
  const statements: ExplainedStatement[] = []
  /** Rows read by table, by statements and by what they trigger (foreign keys), explaining included. */
  const tables = new Map<string, number>()
  const original = pg.Client.prototype.query as Query
  /** The sessions in a transaction, and what they had read before it. */
  const inTransaction = new WeakMap<pg.Client, ReadonlyMap<string, number>>()

  async function explain(client: pg.Client, text: string, values: unknown[] | undefined): Promise<void> {
    const within = inTransaction.has(client)
    const send = (sql: string, parameters?: unknown[]) => original.call(client, sql, parameters)
    await send(within ? 'savepoint explained' : 'begin')
    const { rows } = await send(`explain (analyze, timing off, format json) ${text}`, values)
    await send(within ? 'rollback to savepoint explained' : 'rollback')
    const [{ Plan: plan, 'Execution Time': milliseconds }] = rows[0]['QUERY PLAN']
    statements.push({ text: text.replace(/\s+/g, ' ').trim(), milliseconds, nodes: nodesOf(plan) })
  }

  /** Rows read since the session's figures were last reset, which is not at every transaction's end. */
  async function readTables(client: pg.Client): Promise<Map<string, number>> {
    const { rows } = await original.call(
      client,
      `select relname, seq_tup_read + coalesce(idx_tup_fetch, 0) as rows from pg_stat_xact_user_tables`,
    )
    return new Map(rows.map((row: { relname: string; rows: string }) => [row.relname, Number(row.rows)]))
  }

  const query: Query = async function (this: pg.Client, text: string, values?: unknown[]) {
    const before = inTransaction.get(this)
    if (/^\s*(start transaction|begin)/i.test(text)) {
      const answer = await original.call(this, text, values)
      inTransaction.set(this, await readTables(this))
      return answer
    }
    if (before && /^\s*commit/i.test(text)) {
      // What deferred foreign keys look up would otherwise be read during the commit.
      await original.call(this, 'set constraints all immediate')
      for (const [table, rows] of await readTables(this)) {
        tables.set(table, (tables.get(table) ?? 0) + rows - (before.get(table) ?? 0))
      }
    }
    if (/^\s*(commit|rollback)/i.test(text)) inTransaction.delete(this)
    else await explain(this, text, values)
    return original.call(this, text, values)
  }
  const restore = () => {
    pg.Client.prototype.query = original
  }
  t.teardown(restore)
  pg.Client.prototype.query = query as typeof pg.Client.prototype.query
  await run()
  restore()
  return { statements, tables }
}

function nodesOf(node: PlanNode): ExplainedStatement['nodes'] {
  const passed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Join Filter'] ?? 0)
  const rechecked = node['Rows Removed by Index Recheck'] ?? 0
  const rows = (node['Actual Rows'] + passed + rechecked) * node['Actual Loops']
  const own = { type: node['Node Type'], table: node['Relation Name'] ?? '', rows }
  return [own, ...(node.Plans ?? []).flatMap(nodesOf)]
}
