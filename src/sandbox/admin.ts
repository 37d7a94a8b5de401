import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest, FastifySchemaValidationError } from 'fastify'
import { accountTable } from './account-table.ts'
import { Refusal, UserEdit } from './contract.ts'
import { FaultRule } from './faults.ts'
import type { SandboxState } from './state.ts'

const RoleName = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: 256 }) },
  { additionalProperties: false },
)
const FaultRules = Type.Array(FaultRule)

/**
 * The sandbox's own HTTP API, for people. Faults never touch it. From this machine it needs no credentials, from elsewhere
 * the sandbox's token when it has one.
 *
 *   GET    /                        the accounts and roles as a table
 *   GET    /_sandbox/users          every account
 *   PATCH  /_sandbox/users/{id}     edit fields: {"roles": ["Analyst"]}
 *   DELETE /_sandbox/users/{id}
 *   GET    /_sandbox/roles          every role's name
 *   POST   /_sandbox/roles          {"name": "Planner"}
 *   DELETE /_sandbox/roles/{name}
 *   GET    /_sandbox/faults         the rules in force
 *   PUT    /_sandbox/faults         one rule or a list of them, for the fields see faults.ts:
 *                                   {"kind": "rate_limited", "retryAfter": 2, "times": 3}
 *   DELETE /_sandbox/faults
 *   GET    /_sandbox/requests       what the API was asked, in order
 */
export function registerAdmin(
  app: FastifyInstance,
  state: SandboxState,
  authorized: (request: FastifyRequest) => boolean,
): void {
  app.addHook('onRequest', async (request) => {
    if (!fromThisMachine(request) && !authorized(request)) {
      throw new Refusal('unauthorized', 'a bearer token is needed')
    }
  })
  app.get('/', (_request, reply) =>
    reply.type('text/plain; charset=utf-8').send(accountTable(state.users(), state.roles())),
  )
  app.get('/_sandbox/users', async () => ({ users: state.users() }))
  app.patch('/_sandbox/users/:id', { schema: { body: UserEdit } }, async (request) =>
    state.editUser(parameter(request, 'id'), request.body as UserEdit),
  )
  app.delete('/_sandbox/users/:id', (request, reply) => {
    state.removeUser(parameter(request, 'id'))
    reply.code(204).send()
  })
  app.get('/_sandbox/roles', async () => ({ roles: state.roles() }))
  app.post('/_sandbox/roles', { schema: { body: RoleName } }, (request, reply) => {
    const { name } = request.body as { name: string }
    state.addRole(name)
    reply.code(201).send({ name })
  })
  app.delete('/_sandbox/roles/:name', (request, reply) => {
    const name = parameter(request, 'name')
    if (!state.roles().includes(name)) throw new Refusal('not_found', `no role is named '${name}'`)
    state.removeRole(name)
    reply.code(204).send()
  })
  registerFaults(app, state)
  app.get('/_sandbox/requests', async () => ({ requests: state.requests }))
}

function registerFaults(app: FastifyInstance, { faults }: SandboxState): void {
  const inForce = async () => ({ faults: faults.rules() })
  app.get('/_sandbox/faults', inForce)
  const schema = { body: FaultRules }
  // Before the check, which can then name the member that is wrong.
  const asList = async (request: FastifyRequest) => {
    request.body = [request.body].flat()
  }
  app.put('/_sandbox/faults', { schema, preValidation: asList, schemaErrorFormatter }, async (request) => {
    faults.set(...(request.body as FaultRule[]))
    return inForce()
  })
  app.delete('/_sandbox/faults', (_request, reply) => {
    faults.clear()
    reply.code(204).send()
  })
}

function parameter(request: FastifyRequest, name: string): string {
  return (request.params as Record<string, string>)[name] ?? ''
}

function fromThisMachine({ socket }: FastifyRequest): boolean {
  const address = socket.remoteAddress ?? ''
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.')
}

/** With the values that are allowed, where there are few. */
function schemaErrorFormatter([error]: FastifySchemaValidationError[], dataVar: string): Error {
  const allowed = error?.params.allowedValues
  const values = Array.isArray(allowed) ? `: ${allowed.join(', ')}` : ''
  return new Error(`${dataVar}${error?.instancePath ?? ''} ${error?.message ?? 'is wrong'}${values}`)
}
