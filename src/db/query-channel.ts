import { tracingChannel } from 'node:diagnostics_channel'

/** What those who watch get to know of a query: never a value, nor the text, which may hold a literal. */
export interface QueryEvent {
  /** SELECT, INSERT … */
  readonly operation: string
  /** The first table that the text names. */
  readonly table: string | undefined
}

export const queryChannel = tracingChannel<unknown, QueryEvent>('campaign-manager-scim:query')

/** Runs a query and tells those who watch, if any, of its start and end. */
export const announced = <T>(text: unknown, run: () => Promise<T>): Promise<T> =>
  queryChannel.hasSubscribers ? queryChannel.tracePromise(run, describe(String(text))) : run()

/** Calls of pg's that answer with a promise: the others are given a callback, or an object that reads rows by itself. */
export const answersWithPromise = (parameters: readonly unknown[]): boolean =>
  typeof parameters.at(-1) !== 'function' &&
  typeof (parameters[0] as { submit?: unknown })?.submit !== 'function'

function describe(text: string): QueryEvent {
  const [, first = 'QUERY'] = /^\s*([a-z]+)/i.exec(text) ?? []
  const written = /\b(insert into|update|delete from)\b/i.exec(text)
  const [, table] = /\b(?:from|into|update)\s+"?([a-z_]+)/i.exec(text.slice(written?.index ?? 0)) ?? []
  const word = first.toLowerCase() === 'with' ? (written?.[0]?.split(' ')[0] ?? 'select') : first
  return { operation: word.toUpperCase(), table }
}
