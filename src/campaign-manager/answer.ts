import type { Static, TSchema } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { Operation } from './campaign-manager.ts'
import { CampaignManagerError, type CampaignManagerErrorCode, presentable, retryAfterMs } from './errors.ts'
import { ErrorMessage } from './messages.ts'

export type Answer = {
  status: number
  /** One value of a header, by its lower-case name. */
  header: (name: string) => string | undefined
  bytes: Uint8Array
}

/** What an error needs to know of the call that it is about. */
export type CallContext = {
  operation: Operation
  writes: boolean
  token: string | undefined
  now: () => Date
}

/** The contract's codes of each status; together with any other status they are nothing of Campaign Manager's. */
const codesOfStatus: Readonly<Record<number, readonly CampaignManagerErrorCode[]>> = {
  401: ['unauthorized'],
  403: ['forbidden'],
  404: ['not_found'],
  409: ['user_exists'],
  412: ['precondition_failed'],
  422: ['role_unknown', 'invalid'],
  429: ['rate_limited'],
  500: ['internal'],
  503: ['unavailable'],
}

export type Checked<T extends TSchema> = (answer: Answer, context: CallContext) => Static<T>

/** A reader of answers of one shape; members the shape does not name are let through. */
export function reader<T extends TSchema>(schema: T): Checked<T> {
  const check = TypeCompiler.Compile(schema)
  return (answer, context) => {
    const value = jsonOf(answer, context)
    if (check.Check(value)) return value
    const fault = check.Errors(value).First()
    const where = fault === undefined || fault.path === '' ? 'the top' : fault.path
    throw malformed(
      answer,
      context,
      `another shape than agreed, at ${where}: ${fault?.message ?? 'unknown fault'}`,
    )
  }
}

const readError = reader(ErrorMessage)

/** Throws unless the answer has the one status that means success. */
export function expectStatus(answer: Answer, expected: number, context: CallContext): void {
  const { status } = answer
  if (status === expected) return
  // Never followed: the token and the people's data would go to whoever the redirect names.
  if (status >= 300 && status < 400) throw malformed(answer, context, 'a redirect, which is not followed')
  const codes = codesOfStatus[status]
  if (codes === undefined) throw malformed(answer, context, `a status that is not expected (${expected} is)`)
  const { error } = readError(answer, context)
  const code = codes.find((known) => known === error.code)
  if (code === undefined) {
    throw malformed(
      answer,
      context,
      `the code '${presentable(error.code, context.token, 60)}' with this status`,
    )
  }
  const message = presentable(error.message, context.token)
  throw new CampaignManagerError(
    `Campaign Manager answered ${status} ${code} to ${context.operation}: ${message}`,
    {
      ...detailsOf(answer, context),
      code,
      // The contract does not say that a server that failed did nothing before it failed. And where something on the way
      // sends a write twice, what is answered is that the first sending has changed the account.
      mayHaveApplied: context.writes && (status >= 500 || code === 'precondition_failed'),
      ...(error.requestId !== undefined && { requestId: presentable(error.requestId, context.token, 100) }),
    },
  )
}

/** An answer from which nothing can be concluded, not even whether a write took place. */
export function malformed(answer: Answer, context: CallContext, reason: string): CampaignManagerError {
  const message = `Campaign Manager's answer to ${context.operation} (status ${answer.status}) cannot be used: ${reason}`
  return new CampaignManagerError(message, {
    ...detailsOf(answer, context),
    code: 'malformed',
    mayHaveApplied: context.writes,
  })
}

function detailsOf(answer: Answer, context: CallContext) {
  return { status: answer.status, retryAfterMs: retryAfterMs(answer.header('retry-after'), context.now()) }
}

function jsonOf(answer: Answer, context: CallContext): unknown {
  const mediaType = (answer.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  if (!/^application\/(?:[\w.-]+\+)?json$/.test(mediaType)) {
    const named = mediaType === '' ? 'no media type' : presentable(mediaType, context.token, 60)
    throw malformed(answer, context, `not JSON but ${named}`)
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(answer.bytes))
  } catch {
    // The parser's own message quotes the text, which may hold an address; so it is not kept as the cause.
    throw malformed(answer, context, `${answer.bytes.length} bytes that are not whole, valid JSON`)
  }
}
