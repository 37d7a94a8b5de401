import { type DestinationStream, type LogFn, type Logger, pino } from 'pino'

export type { Logger }

const secretKeys = [
  'authorization',
  'Authorization',
  'password',
  'secret',
  'token',
  'clientSecret',
  'client_secret',
]

const redactedPaths = [
  ...secretKeys,
  ...secretKeys.map((key) => `*.${key}`),
  'headers.authorization',
  'req.headers.authorization',
  'res.headers["set-cookie"]',
  '*.headers.authorization',
  '*.headers.cookie',
]

// Every quantifier before a fixed character is bounded: error text can be long and hostile.
const masks: readonly (readonly [RegExp, string])[] = [
  [/\b(bearer|basic)\s+[^\s,;"']+/giu, '$1 [masked]'],
  [/\beyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*/gu, '[masked token]'],
  [/\bscim_[\w-]{16,}/gu, '[masked token]'],
  [/\?[\w$.[\]%-]{1,64}=[^\s"'<>]*/gu, '?[masked]'],
  [/[\p{L}\p{N}.!#$%&'*+^_`{|}~-]{1,64}(?:@|%40)[\p{L}\p{N}.-]{1,255}/giu, '[masked address]'],
]

/** Blanks whatever looks like an e-mail address, a credential or a query string. */
export function maskText(text: string): string {
  return masks.reduce((masked, [pattern, replacement]) => masked.replace(pattern, replacement), text)
}

const DEEPEST_CAUSE = 4

export type LoggedError = {
  type: string
  message: string
  code?: string
  stack?: string
  cause?: LoggedError
}

/** Only these fields: a driver's error also carries `detail`, which quotes the row. */
export function serializeError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: maskText(String(error)) }
  const code = (error as { code?: unknown }).code
  return {
    type: error.name === 'Error' ? error.constructor.name : error.name,
    message: maskText(error.message),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: String(code) } : {}),
    ...(error.stack === undefined ? {} : { stack: maskText(error.stack) }),
    ...(error.cause === undefined || depth >= DEEPEST_CAUSE
      ? {}
      : { cause: serializeError(error.cause, depth + 1) }),
  }
}

type LoggableRequest = {
  id?: unknown
  method?: string
  url?: string
  routeOptions?: { url?: string | undefined }
}

/** The route when it is known: the path may hold an address, the query of a SCIM filter does. */
export function serializeRequest(request: LoggableRequest) {
  const route = request.routeOptions?.url
  const path = maskText((request.url ?? '').split('?', 1)[0] ?? '')
  return { id: request.id, method: request.method, ...(route === undefined ? { path } : { route }) }
}

function maskArguments(this: Logger, parameters: Parameters<LogFn>, method: LogFn) {
  const masked: unknown[] = parameters.map((value) => (typeof value === 'string' ? maskText(value) : value))
  const [first] = masked
  const error = first instanceof Error ? first : (first as { err?: unknown } | null | undefined)?.err
  // Without a message pino takes the error's own, past every serializer.
  if (masked.length === 1 && error instanceof Error) masked.push(maskText(error.message))
  method.apply(this, masked as unknown as Parameters<LogFn>)
}

/** JSON lines, on stdout unless told otherwise, with nothing in them that names a person or opens a door. */
export function createLogger(options: { level: string; destination?: DestinationStream }): Logger {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: redactedPaths, censor: '[masked]' },
      serializers: {
        req: serializeRequest,
        res: (reply: { statusCode?: number }) => ({ statusCode: reply.statusCode }),
        err: (error: unknown) => serializeError(error),
      },
      hooks: { logMethod: maskArguments },
    },
    options.destination ?? pino.destination({ fd: 1, sync: true }),
  )
}
