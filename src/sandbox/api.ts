import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal, UserInput } from './contract.ts'
import { type Answer, answerOf, answerOk, answerUser, type Handling } from './handling.ts'
import { pageSizeOf } from './paging.ts'
import type { RoleStore } from './roles.ts'
import type { UserStore } from './users.ts'

export type ApiParts = { users: UserStore; roles: RoleStore; handling: Handling }

/** The contract's paths, below the prefix that the instance was registered with. */
export function registerApi(app: FastifyInstance, { users, roles, handling }: ApiParts): void {
  const written = { schema: { body: UserInput }, attachValidation: true }
  const firstAnswers = new Map<string, Answer>()

  app.get(
    '/roles',
    handling.route('roles', (request) => {
      const { items, ...next } = roles.page(queryValue(request, 'pageToken'))
      return answerOk({ roles: items, ...next })
    }),
  )
  app.get(
    '/users',
    handling.route('users', (request) => listUsers(users, request), {
      stale: (request, withinMs) => listUsers(users, request, withinMs),
    }),
  )
  app.post(
    '/users',
    written,
    handling.route('users', (request) => onlyOnce(firstAnswers, request, () => createUser(users, request)), {
      partial: (request) => onlyOnce(firstAnswers, request, () => createUser(users, request, firstHalf)),
    }),
  )
  app.get(
    '/users/:id',
    handling.route('user', (request) => answerUser(200, users.get(idOf(request))), {
      stale: (request, withinMs) => answerUser(200, users.getStale(idOf(request), withinMs)),
    }),
  )
  app.put(
    '/users/:id',
    written,
    handling.route('user', (request) => replaceUser(request, (...change) => users.replace(...change)), {
      partial: (request) => replaceUser(request, (...change) => users.replacePartially(...change)),
    }),
  )
  app.delete(
    '/users/:id',
    handling.route('user', (request) => {
      users.remove(idOf(request), request.headers['if-match'])
      return { status: 204, applied: true }
    }),
  )
}

function listUsers(users: UserStore, request: FastifyRequest, staleMs?: number): Answer {
  const size = pageSizeOf(queryValue(request, 'pageSize'))
  const email = queryValue(request, 'email')
  if (email === undefined) {
    const { items, ...next } = users.page(size, queryValue(request, 'pageToken'))
    return answerOk({ users: items, ...next })
  }
  const found = staleMs === undefined ? users.findByEmail(email) : users.findStaleByEmail(email, staleMs)
  return answerOk({ users: found === undefined ? [] : [found.user] })
}

function createUser(
  users: UserStore,
  request: FastifyRequest,
  given: (roles: readonly string[]) => string[] = (roles) => [...roles],
): Answer {
  const input = inputOf(request)
  const created = users.create({ ...input, roles: given(input.roles) })
  return { ...answerUser(201, created), applied: true, userId: created.user.id }
}

const firstHalf = (roles: readonly string[]) => roles.slice(0, Math.ceil(roles.length / 2))

function replaceUser(request: FastifyRequest, replace: UserStore['replace']): Answer {
  const replaced = replace(idOf(request), inputOf(request), request.headers['if-match'])
  return { ...answerUser(200, replaced), applied: true }
}

/** The contract: a key seen before gets the first answer again, whatever that was and whatever is asked now. */
function onlyOnce(firstAnswers: Map<string, Answer>, request: FastifyRequest, compute: () => Answer): Answer {
  const key = request.headers['idempotency-key']
  if (typeof key !== 'string') return compute()
  if (key.length > 128) throw new Refusal('invalid', 'Idempotency-Key is longer than 128 characters')
  const first = firstAnswers.get(key)
  if (first !== undefined) return { ...first, applied: false }
  const answer = answerOf(request, compute)
  firstAnswers.set(key, answer)
  return answer
}

function inputOf(request: FastifyRequest): UserInput {
  if (request.validationError !== undefined) throw new Refusal('invalid', request.validationError.message)
  return request.body as UserInput
}

function idOf(request: FastifyRequest): string {
  return (request.params as { id: string }).id
}

function queryValue(request: FastifyRequest, name: string): string | undefined {
  const values = new URL(request.url, 'http://sandbox').searchParams.getAll(name)
  if (values.length > 1) throw new Refusal('invalid', `${name} is given more than once`)
  return values[0]
}
