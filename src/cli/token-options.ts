import { TOKEN_DAYS } from '../access/tokens.ts'
import { parseArguments } from './arguments.ts'
import { UsageError } from './command.ts'

const options = {
  tenant: { type: 'string' },
  name: { type: 'string' },
  access: { type: 'string' },
  'expires-in-days': { type: 'string' },
  never: { type: 'boolean' },
  'overlap-hours': { type: 'string' },
  json: { type: 'boolean' },
} as const

export const parseTokenArguments = (args: readonly string[]) =>
  parseArguments(args, options, { allowPositionals: true })

export type TokenArguments = ReturnType<typeof parseTokenArguments>['values']

const MOST_DAYS = 36_500
/** Entra's administrators may need weeks until they come to it. */
const MOST_OVERLAP_HOURS = 720
const OVERLAP_HOURS = 24

/** Undefined: it never expires, which has to be said. */
export function daysOption(values: TokenArguments): number | undefined {
  const text = values['expires-in-days']
  if (values.never !== true) return wholeNumber('expires-in-days', text, 1, MOST_DAYS) ?? TOKEN_DAYS
  if (text !== undefined) throw new UsageError('say either --expires-in-days or --never')
  return undefined
}

export const overlapHoursOption = (values: TokenArguments): number =>
  wholeNumber('overlap-hours', values['overlap-hours'], 0, MOST_OVERLAP_HOURS) ?? OVERLAP_HOURS

export function accessOption({ access = 'write' }: TokenArguments): 'read' | 'write' {
  if (access === 'read' || access === 'write') return access
  throw new UsageError('--access must be "read" or "write"')
}

function wholeNumber(
  name: string,
  text: string | undefined,
  least: number,
  most: number,
): number | undefined {
  if (text === undefined) return undefined
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw new UsageError(`--${name} must be a whole number between ${least} and ${most}`)
}
