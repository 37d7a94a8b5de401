import { createHash, timingSafeEqual } from 'node:crypto'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifySchemaCompiler,
  type FastifyServerOptions,
} from 'fastify'
import { registerAdmin } from './admin.ts'
import { registerApi } from './api.ts'
import { type ErrorCode, errorBody, Refusal, statusOfCode } from './contract.ts'
import { createDoor } from './door.ts'
import { createFaults } from './faults.ts'
import { createHandling } from './handling.ts'
import { RequestLog } from './request-log.ts'
import { RoleStore } from './roles.ts'
import { createState, type SandboxState } from './state.ts'
import { UserStore } from './users.ts'

export type SandboxOptions = {
  now: () => Date
  /** When set, the API asks for it as a bearer token. */
  token?: string | undefined
  roles?: readonly string[] | undefined
  logger?: FastifyBaseLogger | false | undefined
  /** For the arrival of one request; 30 seconds unless told. */
  requestTimeout?: number | undefined
  /** How many requests the log remembers; 100 000 unless told. */
  keepRequests?: number | undefined
}

export type Sandbox = {
  /** Answers the API's base URL, which ends in /api/v1. */
  listen(at: { host: string; port: number }): Promise<string>
  /** Ends every connection, those kept alive and those never answered too. */
  close(): Promise<void>
  readonly state: SandboxState
}

export const defaultRoles: readonly string[] = [
  'Placeholder',
  'Campaign Editor',
  'Campaign Viewer',
  'Campaign Approver',
  'Analyst',
  'Administrator',
  'Agents',
  'Supervisors',
]

const PREFIX = '/api/v1'

/** The first sandbox's, which keeps what it compiled: that takes longer than all else at a start. */
let compileSchema: FastifySchemaCompiler<unknown> | undefined

/** A Campaign Manager to try things on: the contract's API over HTTP, everything kept in memory. */
export function createSandbox(options: SandboxOptions): Sandbox {
  const roles = new RoleStore(options.roles ?? defaultRoles)
  const users = new UserStore(roles, options.now)
  const log = new RequestLog(options.keepRequests ?? 100_000)
  const faults = createFaults()
  const state = createState({ users, roles, faults, log })
  const stopping = new AbortController()
  const authorized = bearerCheck(options.token)
  const handling = createHandling({
    log,
    faults,
    hooks: state,
    stopping: stopping.signal,
    emailOf: (id) => users.find(id)?.user.email,
    now: options.now,
    refuse: (ms) => door.refuse(ms),
  })

  const app = Fastify(serverOptions(options))
  const door = createDoor(app.server, stopping.signal)
  app.setErrorHandler(answerError)
  app.setNotFoundHandler(answerNoRoute)
  if (compileSchema) app.setValidatorCompiler(compileSchema)
  app.register(
    async (api) => {
      api.addHook('onReady', async () => {
        compileSchema ??= api.validatorCompiler
      })
      api.addHook('onRequest', async (request) => {
        handling.arrive(request)
        if (!authorized(request)) throw new Refusal('unauthorized', 'a bearer token is needed')
      })
      api.addHook('onSend', async (request, reply) => handling.answered(request, reply.statusCode))
      api.setNotFoundHandler(answerNoRoute)
      registerApi(api, { users, roles, handling })
    },
    { prefix: PREFIX },
  )
  app.register(async (admin) => registerAdmin(admin, state, authorized))

  return {
    state,
    listen: (at) => listen(app, at),
    close: async () => {
      stopping.abort()
      await door.opened()
      await app.close()
    },
  }
}

function serverOptions({ logger, requestTimeout }: SandboxOptions): FastifyServerOptions {
  return {
    ...(logger === undefined || logger === false ? { logger: false } : { loggerInstance: logger }),
    requestTimeout: requestTimeout ?? 30_000,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 1000 },
    exposeHeadRoutes: false,
    // Fastify's own choice would strip unknown members and turn "yes" into true where the contract refuses both.
    // Our own schemas are not checked against the meta-schema: to compile it takes longer than to compile them.
    ajv: {
      customOptions: {
        removeAdditional: false,
        coerceTypes: false,
        useDefaults: false,
        validateSchema: false,
      },
    },
    frameworkErrors: answerError,
  }
}

async function listen(app: FastifyInstance, { host, port }: { host: string; port: number }): Promise<string> {
  await app.listen({ host, port })
  const address = app.server.address()
  if (address === null || typeof address === 'string')
    throw new Error('the sandbox does not listen on a port')
  const everywhere = host === '0.0.0.0' || host === '::'
  const shown = everywhere ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  return `http://${shown}:${address.port}${PREFIX}`
}

function bearerCheck(token: string | undefined): (request: FastifyRequest) => boolean {
  if (token === undefined) return () => true
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const expected = digest(token)
  return ({ headers }) => {
    const given = /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
    return given !== undefined && timingSafeEqual(digest(given), expected)
  }
}

/** The contract has no 400, 413 or 415: a body that cannot be read is as invalid as one that breaks its rules. */
function answerError(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  const code = codeOf(error)
  if (code === 'internal') request.log.error({ err: error }, 'the sandbox failed')
  const message = code === 'internal' ? 'the sandbox failed; its log says why' : error.message
  reply.code(statusOfCode[code]).send(errorBody(code, message, request.id))
}

function codeOf(error: Error): ErrorCode {
  if (error instanceof Refusal) return error.code
  const { statusCode } = error as Partial<FastifyError>
  return statusCode !== undefined && statusCode >= 400 && statusCode < 500 ? 'invalid' : 'internal'
}

function answerNoRoute(request: FastifyRequest, reply: FastifyReply): void {
  reply.code(404).send(errorBody('not_found', 'nothing is served at this path', request.id))
}
