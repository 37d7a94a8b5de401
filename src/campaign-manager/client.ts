import { type Answer, type CallContext, expectStatus, malformed, reader } from './answer.ts'
import type { CampaignManager, Operation } from './campaign-manager.ts'
import { CampaignManagerError, type CampaignManagerErrorCode } from './errors.ts'
import {
  type Account,
  accountOf,
  inputOf,
  isSameAddress,
  type ObservedAccount,
  RolePage,
  UserMessage,
  UserPage,
} from './messages.ts'
import { type Call, createTransport } from './transport.ts'

export type { CampaignManager, Operation } from './campaign-manager.ts'

export type CampaignManagerClientOptions = {
  /** A path prefix and a trailing slash are both fine. */
  baseUrl: string
  token?: string | undefined
  /** For one whole call, its answer's body included; the gate's wait is not counted. */
  timeoutMs: number
  now: () => Date
  /** Milliseconds that only go forward. */
  monotonic: () => number
  /** Decides when a call may start (rate and concurrency); what it throws reaches the caller as it is. */
  gate?: (<T>(run: () => Promise<T>) => Promise<T>) | undefined
  /** Accounts on a page of listAccounts; 500 unless told, the contract's most. */
  accountPageSize?: number | undefined
  /** After every single call: a list of many pages is many calls. */
  observe?:
    | ((operation: Operation, outcome: 'ok' | CampaignManagerErrorCode, seconds: number) => void)
    | undefined
}

/** A server whose pages never end must not hold a caller for ever. */
const MOST_PAGES = 10_000
/** The contract's limit of pageSize. */
const LARGEST_PAGE = 500

const readRolePage = reader(RolePage)
const readUserPage = reader(UserPage)
const readUser = reader(UserMessage)

type Decode<T> = (answer: Answer, context: CallContext) => T
type Perform = <T>(operation: Operation, call: Call, decode: Decode<T>) => Promise<T>
type PageOf<T> = { items: T[]; nextPageToken?: string | undefined }

export function createCampaignManagerClient(options: CampaignManagerClientOptions): CampaignManager {
  const transport = createTransport(options)
  const perform = createPerform(options, transport.send)

  return {
    listRoles: async () => {
      const roles = []
      for await (const page of pages(perform, 'list_roles', '/roles', new URLSearchParams(), rolesOf))
        roles.push(...page)
      return roles
    },
    findAccountByEmail: async (email) => {
      const query = new URLSearchParams({ email })
      const decode: Decode<PageOf<Account>> = (answer, context) => {
        const page = accountsOf(answer, context)
        for (const account of page.items) expectEmail(account, email, answer, context)
        if (page.items.length > 1) throw malformed(answer, context, 'more than one account of one address')
        return page
      }
      const found: Account[] = []
      for await (const page of pages(perform, 'find_account', '/users', query, decode)) found.push(...page)
      if (found.length > 1) throw unusable('find_account', 'more than one account of one address')
      return found[0]
    },
    getAccount: (id) =>
      unlessAbsent<ObservedAccount | undefined>(undefined, async () =>
        perform('get_account', { method: 'GET', path: accountPath(id, 'get_account') }, (answer, context) =>
          observed(answer, context, 200, id),
        ),
      ),
    createAccount: async (input, idempotencyKey) => {
      const headers = { 'idempotency-key': keyOf(idempotencyKey) }
      const call: Call = { method: 'POST', path: '/users', headers, body: JSON.stringify(inputOf(input)) }
      return perform('create_account', call, (answer, context) => {
        const created = observed(answer, context, 201, undefined)
        // The answer to an older request under the same key may be another person's account.
        expectEmail(created.account, input.email, answer, context)
        return created
      })
    },
    replaceAccount: async (id, input, etag) => {
      const path = accountPath(id, 'replace_account')
      const call: Call = { method: 'PUT', path, headers: ifMatch(etag), body: JSON.stringify(inputOf(input)) }
      return perform('replace_account', call, (answer, context) => observed(answer, context, 200, id))
    },
    deleteAccount: (id, etag) =>
      unlessAbsent<'deleted' | 'absent'>('absent', async () => {
        const path = accountPath(id, 'delete_account')
        return perform(
          'delete_account',
          { method: 'DELETE', path, headers: ifMatch(etag) },
          (answer, context) => {
            expectStatus(answer, 204, context)
            return 'deleted'
          },
        )
      }),
    listAccounts: async (pageToken) => {
      const query = new URLSearchParams({ pageSize: String(options.accountPageSize ?? LARGEST_PAGE) })
      if (pageToken !== undefined) query.set('pageToken', pageToken)
      const call: Call = { method: 'GET', path: `/users?${query}` }
      const page = await perform('list_accounts', call, accountsOf)
      const nextPageToken = page.nextPageToken || undefined
      if (nextPageToken !== undefined && nextPageToken === pageToken) {
        throw unusable('list_accounts', 'a page that names itself as the next')
      }
      return { accounts: page.items, nextPageToken }
    },
    close: transport.close,
  }
}

function createPerform(
  { token, now, gate, observe, monotonic }: CampaignManagerClientOptions,
  send: (call: Call, context: CallContext) => Promise<Answer>,
): Perform {
  return async (operation, call, decode) => {
    const context = { operation, writes: call.method !== 'GET', token, now }
    const run = async () => {
      const started = monotonic()
      const seen = (outcome: 'ok' | CampaignManagerErrorCode) =>
        observe?.(operation, outcome, (monotonic() - started) / 1000)
      try {
        const value = decode(await send(call, context), context)
        seen('ok')
        return value
      } catch (error) {
        if (error instanceof CampaignManagerError) seen(error.code)
        throw error
      }
    }
    return gate === undefined ? run() : gate(run)
  }
}

async function* pages<T>(
  perform: Perform,
  operation: Operation,
  path: string,
  query: URLSearchParams,
  decode: Decode<PageOf<T>>,
): AsyncGenerator<T[]> {
  const seen = new Set<string>()
  for (let token: string | undefined; seen.size < MOST_PAGES; ) {
    const asked = new URLSearchParams(query)
    if (token !== undefined) asked.set('pageToken', token)
    const suffix = asked.size === 0 ? '' : `?${asked}`
    const page = await perform(operation, { method: 'GET', path: path + suffix }, decode)
    yield page.items
    token = page.nextPageToken
    if (token === undefined || token === '') return
    if (seen.has(token)) throw unusable(operation, 'a page token that was followed before')
    seen.add(token)
  }
  throw unusable(operation, `more than ${MOST_PAGES} pages`)
}

function rolesOf(answer: Answer, context: CallContext): PageOf<{ id: string; name: string }> {
  expectStatus(answer, 200, context)
  const { roles, nextPageToken } = readRolePage(answer, context)
  return { items: roles.map(({ id, name }) => ({ id, name })), nextPageToken }
}

function accountsOf(answer: Answer, context: CallContext): PageOf<Account> {
  expectStatus(answer, 200, context)
  const { users, nextPageToken } = readUserPage(answer, context)
  return { items: users.map(accountOf), nextPageToken }
}

function observed(
  answer: Answer,
  context: CallContext,
  status: number,
  id: string | undefined,
): ObservedAccount {
  expectStatus(answer, status, context)
  const account = accountOf(readUser(answer, context))
  if (id !== undefined && account.id !== id)
    throw malformed(answer, context, 'another account than the one asked for')
  return { account, etag: answer.header('etag') }
}

function expectEmail(account: Account, email: string, answer: Answer, context: CallContext): void {
  if (isSameAddress(account.email, email)) return
  throw malformed(answer, context, 'an account of another address than the one asked for')
}

/** `expectStatus` lets not_found pass only as the contract's own 404. */
async function unlessAbsent<T>(absent: T, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof CampaignManagerError && error.code === 'not_found') return absent
    throw error
  }
}

/** An id that would turn the path into another one (the list of all users, say) is refused before it is sent. */
function accountPath(id: string, operation: Operation): string {
  if (id === '' || id === '.' || id === '..' || !id.isWellFormed()) {
    throw new CampaignManagerError(`${operation} needs an account id that can stand in a path`, {
      code: 'invalid',
      mayHaveApplied: false,
    })
  }
  return `/users/${encodeURIComponent(id)}`
}

function keyOf(idempotencyKey: string): string {
  if (/^[\x21-\x7e]{1,128}$/.test(idempotencyKey)) return idempotencyKey
  throw new CampaignManagerError(
    'create_account needs an idempotency key of 1 to 128 visible ASCII characters',
    {
      code: 'invalid',
      mayHaveApplied: false,
    },
  )
}

function ifMatch(etag: string | undefined): Record<string, string> {
  return etag === undefined ? {} : { 'if-match': etag }
}

function unusable(operation: Operation, reason: string): CampaignManagerError {
  const message = `Campaign Manager's answers to ${operation} cannot be used: ${reason}`
  return new CampaignManagerError(message, { code: 'malformed', status: 200, mayHaveApplied: false })
}
