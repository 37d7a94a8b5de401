import { isKeyUrl } from '../access/jwks-url.ts'
import type { Federation } from '../access/oauth-clients.ts'
import { parseArguments, requireOption } from './arguments.ts'
import { UsageError } from './command.ts'

const options = {
  tenant: { type: 'string' },
  name: { type: 'string' },
  access: { type: 'string' },
  'expires-in-days': { type: 'string' },
  'overlap-hours': { type: 'string' },
  'federated-issuer': { type: 'string' },
  'federated-subject': { type: 'string' },
  'federated-audience': { type: 'string', multiple: true },
  'jwks-url': { type: 'string' },
  json: { type: 'boolean' },
} as const

export const parseClientArguments = (args: readonly string[]) =>
  parseArguments(args, options, { allowPositionals: true })

export type ClientOptions = ReturnType<typeof parseClientArguments>['values']

export const isAccess = (word: string): word is 'read' | 'write' => word === 'read' || word === 'write'

const SECRET_DAYS = { least: 365, most: 1096, unlessTold: 365 }
const OVERLAP_HOURS = { least: 0, most: 24 * 90, unlessTold: 24 }

/** Entra's gallery wants secrets that live for one to three years. */
export const secretDaysOption = (values: ClientOptions): number =>
  wholeNumber(values, 'expires-in-days', SECRET_DAYS)

export const overlapHoursOption = (values: ClientOptions): number =>
  wholeNumber(values, 'overlap-hours', OVERLAP_HOURS)

function wholeNumber(
  values: ClientOptions,
  name: 'expires-in-days' | 'overlap-hours',
  { least, most, unlessTold }: { least: number; most: number; unlessTold: number },
): number {
  const text = values[name]
  if (text === undefined) return unlessTold
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw new UsageError(`--${name} must be a whole number between ${least} and ${most}`)
}

/** Undefined for a client with a secret. */
export function federationOption(values: ClientOptions): Federation | undefined {
  const jwksUrl = values['jwks-url']
  const audiences = values['federated-audience'] ?? []
  const given = [values['federated-issuer'], values['federated-subject'], jwksUrl, ...audiences]
  if (given.every((each) => each === undefined)) return undefined
  const issuer = requireOption(values['federated-issuer'], 'federated-issuer')
  const subject = requireOption(values['federated-subject'], 'federated-subject')
  requireOption(audiences[0], 'federated-audience')
  if (audiences.includes('')) throw new UsageError('--federated-audience must not be empty')
  if (values['expires-in-days'] !== undefined) {
    throw new UsageError('--expires-in-days is for secrets, which a federated client has none of')
  }
  for (const [name, url] of [
    ['federated-issuer', issuer],
    ['jwks-url', jwksUrl],
  ]) {
    if (url !== undefined && !isKeyUrl(url)) throw new UsageError(`--${name} must be an https URL`)
  }
  return { issuer, subject, audiences, jwksUrl }
}
