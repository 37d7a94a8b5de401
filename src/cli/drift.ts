import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Kysely } from 'kysely'
import { systemClock } from '../clock.ts'
import { type Config, ConfigError, loadConfig } from '../config.ts'
import { connectTenants, type TenantConnections } from '../connect-tenants.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import { listHolds } from '../directory/deletion-holds.ts'
import { databaseNow, loadUserNames } from '../directory/inventory.ts'
import { listEndpoints } from '../directory/tenant-settings.ts'
import { listWaiting } from '../directory/waiting-users.ts'
import { createLogger } from '../log.ts'
import { takeInventoryStep } from '../provisioning/inventory-step.ts'
import { applyStep, type Finding, forgetSeen, userKey } from '../reconcile/drift-finding.ts'
import { firstPlace, MOST_STEPS, type Place, type TakeStep } from '../reconcile/inventory-walk.ts'
import { retryFailing } from '../reconcile/mark-users.ts'
import { createEncryptionKeys } from '../sealed-secret.ts'
import { parseArguments } from './arguments.ts'
import type { Command, CommandIo } from './command.ts'
import { withDatabase } from './database.ts'
import { formatJson, formatTable } from './table.ts'
import { MOST_WAITING, waitingLine } from './waiting.ts'

export const driftCommand: Command = {
  help: `Usage: drift [--repair] [--json]

Compares the accounts of Campaign Manager with what they should be, now, and lists what differs. It changes nothing. Where
tenants have Campaign Managers of their own, each is compared, and the list says which one it is about.
With --repair it marks the users concerned, and a running service mends their accounts; those who were parked are tried
again too. Orphans and duplicates are only listed, because nothing here says whose they are.
Users who wait, or whose account is being brought up to date, are not compared: stderr names up to 100 of them, removals of
access first, since when and why. That is so too where Campaign Manager cannot be reached.

  account_missing  a user's account is not there
  roles_missing    a role that the user should hold is not on the account
  roles_extra      a role from this service is on the account that should not be (roles given by others may be)
  disabled         the account is disabled or enabled, and should not be
  edited           the address, a name or the external id was changed
  orphan           an account carries an external id, and no user here needs it
  duplicate        an account that is no user's carries the external id of another one

Exit status: 0 nothing differs and nobody waits, or --repair; 1 something differs, somebody waits, deletions are held, or the
comparison failed; 2 wrong use.

Settings: CAMPAIGN_MANAGER_URL, CAMPAIGN_MANAGER_TOKEN, ENCRYPTION_KEY and whatever else the service was given; DATABASE_URL,
or DATA_DIR for the embedded database.
`,
  async run(args, io) {
    const { values } = parseArguments(args, { repair: { type: 'boolean' }, json: { type: 'boolean' } })
    const config = loadConfig(io.env, (path) => readFileSync(path, 'utf8'))
    const repair = values.repair === true
    const { found, failures, holds, waiting } = await withDatabase(io, async (db) => ({
      // Told before anything is compared, which may fail.
      waiting: await tellWaiting(io, db),
      ...(await compareAll(io, db, config, repair)),
      holds: await listHolds(db, undefined),
    }))
    const isAnybodyLeftOut = waiting > 0 || holds.length > 0
    if (values.json === true) io.out(formatJson(found))
    else if (found.length > 0) print(io, found, repair)
    else if (failures.length === 0) {
      io.out(`Every ${isAnybodyLeftOut ? 'other ' : ''}account is as it should be.\n`)
    }
    for (const { endpoint, message } of failures) {
      io.err(`${shown(nameOf(endpoint))} could not be compared: ${message}\n`)
    }
    for (const { tenant, disabled, waiting } of holds) {
      io.err(
        `tenant ${tenant}: ${disabled + waiting} deletions are held, ${disabled} of the accounts disabled; "tenant deletions accounts" says whose\n`,
      )
    }
    return failures.length > 0 || ((found.length > 0 || isAnybodyLeftOut) && !repair) ? 1 : 0
  },
}

/** What was found, as an operator wants to read it. */
interface FoundDrift {
  /** The URL of a tenant's own; null for the one that the others share. */
  readonly campaignManager: string | null
  readonly kind: Finding['kind']
  readonly tenant: string | null
  readonly userId: string | null
  readonly userName: string | null
  readonly accountId: string | null
  readonly detail: string
  readonly marked: boolean
}

interface ComparisonFailure {
  readonly endpoint: string
  readonly message: string
}

const nameOf = (endpoint: string): string => (endpoint === '' ? 'the shared Campaign Manager' : endpoint)

/** Compares every Campaign Manager that tenants have. One that fails keeps the others from nothing. */
async function compareAll(
  io: CommandIo,
  db: Kysely<Database>,
  config: Config,
  repair: boolean,
): Promise<{ found: FoundDrift[]; failures: ComparisonFailure[] }> {
  const endpoints = await listEndpoints(db)
  if (config.campaignManagerUrl === undefined && endpoints.includes('')) {
    throw new ConfigError([
      'CAMPAIGN_MANAGER_URL: must be set; the command "sandbox" runs one to try things on, and prints its URL',
    ])
  }
  const tenants = connectTenants({
    db,
    config,
    encryptionKeys: createEncryptionKeys(config.encryptionKey),
    clock: systemClock,
    log: createLogger({ level: 'silent' }),
  })
  const found: FoundDrift[] = []
  const failures: ComparisonFailure[] = []
  try {
    for (const endpoint of endpoints) {
      try {
        found.push(...(await compare(io, db, tenants, endpoint, repair)))
      } catch (error) {
        if (endpoints.length === 1) throw error
        failures.push({ endpoint, message: error instanceof Error ? error.message : String(error) })
      }
    }
    if (repair) await inTransaction(db, (trx) => retryFailing(trx))
  } finally {
    await tenants.close()
  }
  return { found, failures }
}

const compare = (
  io: CommandIo,
  db: Kysely<Database>,
  tenants: TenantConnections,
  endpoint: string,
  repair: boolean,
): Promise<FoundDrift[]> =>
  tenants.useEndpoint(endpoint, async ({ campaignManager, roleCatalog }) => {
    const { policiesOf } = tenants
    const context = { db, campaignManager, roleCatalog, policiesOf }
    const takeStep: TakeStep = (walk, place) => takeInventoryStep(context, walk, place)
    return described(db, endpoint, await walkOnce(io, db, endpoint, takeStep, repair), repair)
  })

/** A walk of its own, beside the service's: what it has seen is remembered under an id that nobody else uses. */
async function walkOnce(
  io: CommandIo,
  db: Kysely<Database>,
  endpoint: string,
  takeStep: TakeStep,
  repair: boolean,
): Promise<Finding[]> {
  let stopped = false
  void io.stopRequested.then(() => {
    stopped = true
  })
  const walk = { id: randomUUID(), endpoint, began: await databaseNow(db) }
  const findings: Finding[] = []
  try {
    let place: Place | undefined = firstPlace
    for (let steps = 0; place; steps += 1) {
      if (stopped) throw new Error('stopped before the comparison was finished')
      if (steps === MOST_STEPS) throw new Error('the inventory does not end')
      const step: Awaited<ReturnType<TakeStep>> = await takeStep(walk, place)
      findings.push(...(await inTransaction(db, (trx) => applyStep(trx, walk.id, step, repair))))
      place = step.next
    }
  } finally {
    await forgetSeen(db, walk.id)
  }
  return findings
}

async function described(
  db: Kysely<Database>,
  endpoint: string,
  findings: readonly Finding[],
  repair: boolean,
): Promise<FoundDrift[]> {
  const names = await loadUserNames(
    db,
    findings.flatMap(({ user }) => (user ? [user] : [])),
  )
  return findings.map(({ kind, user, accountId, detail, repairable }) => {
    const name = user && names.get(userKey(user))
    return {
      campaignManager: endpoint === '' ? null : endpoint,
      kind,
      tenant: name?.tenant ?? null,
      userId: user?.userId ?? null,
      userName: name?.userName ?? null,
      accountId: accountId ?? null,
      detail,
      marked: repair && repairable,
    }
  })
}

/** Names who is not compared, but for held deletions, of which there are many at a time; returns how many these are. */
async function tellWaiting(io: CommandIo, db: Kysely<Database>): Promise<number> {
  const { waiting, total } = await listWaiting(db, { except: 'deletion_held', limit: MOST_WAITING })
  for (const each of waiting) io.err(waitingLine(each))
  if (total > waiting.length) io.err(`and ${total - waiting.length} more, who are not listed\n`)
  return total
}

function print(io: CommandIo, found: readonly FoundDrift[], repair: boolean): void {
  const isOne = found.every(({ campaignManager }) => campaignManager === null)
  const rows = found.map(({ campaignManager, kind, tenant, userId, userName, accountId, detail }) => [
    ...[kind, tenant, userId, userName, accountId, detail].map((cell) => shown(cell ?? '-')),
    ...(isOne ? [] : [shown(campaignManager ?? 'shared')]),
  ])
  const headings = ['KIND', 'TENANT', 'USER', 'USER NAME', 'ACCOUNT', 'DETAIL']
  io.out(formatTable([...headings, ...(isOne ? [] : ['CAMPAIGN MANAGER'])], rows))
  const marked = new Set(found.flatMap(({ marked, userId }) => (marked && userId ? [userId] : []))).size
  if (repair && marked === 1) io.err('1 user marked; a running service mends the account\n')
  else if (repair) io.err(`${marked} users marked; a running service mends their accounts\n`)
  else if (found.some(({ kind }) => kind !== 'orphan' && kind !== 'duplicate')) {
    io.err('nothing was changed; "drift --repair" has a running service mend what can be mended\n')
  }
}

/** Without control characters, which a terminal would obey: names come from elsewhere. */
const shown = (cell: string): string => cell.replaceAll(/\p{Cc}/gu, ' ')
