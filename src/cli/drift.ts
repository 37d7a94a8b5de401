import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Kysely } from 'kysely'
import { systemClock } from '../clock.ts'
import { type Config, ConfigError, loadConfig } from '../config.ts'
import { connectCampaignManager } from '../connect-campaign-manager.ts'
import type { Database } from '../db/tables.ts'
import { inTransaction } from '../db/transaction.ts'
import { listHolds } from '../directory/deletion-holds.ts'
import { databaseNow, loadUserNames } from '../directory/inventory.ts'
import { takeInventoryStep } from '../provisioning/inventory-step.ts'
import { applyStep, type Finding, forgetSeen, userKey } from '../reconcile/drift-finding.ts'
import { firstPlace, MOST_STEPS, type Place, type TakeStep } from '../reconcile/inventory-walk.ts'
import { retryFailing } from '../reconcile/mark-users.ts'
import { parseArguments } from './arguments.ts'
import type { Command, CommandIo } from './command.ts'
import { withDatabase } from './database.ts'
import { formatJson, formatTable } from './table.ts'

export const driftCommand: Command = {
  help: `Usage: drift [--repair] [--json]

Compares the accounts of Campaign Manager with what they should be, now, and lists what differs. It changes nothing.
With --repair it marks the users concerned, and a running service mends their accounts; those who were parked are tried
again too. Orphans and duplicates are only listed, because nothing here says whose they are. Users whose account is being
brought up to date are left out.

  account_missing  a user's account is not there
  roles_missing    a role that the user should hold is not on the account
  roles_extra      a role from this service is on the account that should not be (roles given by others may be)
  disabled         the account is disabled or enabled, and should not be
  edited           the address, a name or the external id was changed
  orphan           an account carries an external id, and no user here needs it
  duplicate        an account carries the external id of another account

Exit status: 0 nothing differs, or --repair; 1 something differs, or the comparison failed; 2 wrong use.

Settings: CAMPAIGN_MANAGER_URL, CAMPAIGN_MANAGER_TOKEN and whatever else the service was given; DATABASE_URL, or DATA_DIR
for the embedded database.
`,
  async run(args, io) {
    const { values } = parseArguments(args, { repair: { type: 'boolean' }, json: { type: 'boolean' } })
    const config = loadConfig(io.env, (path) => readFileSync(path, 'utf8'))
    const repair = values.repair === true
    const { found, holds } = await withDatabase(io, async (db) => ({
      found: await compare(io, db, config, repair),
      holds: await listHolds(db, undefined),
    }))
    if (values.json === true) io.out(formatJson(found))
    else print(io, found, repair)
    for (const { tenant, disabled, waiting } of holds) {
      io.err(
        `tenant ${tenant}: ${disabled + waiting} deletions are held, ${disabled} of the accounts disabled; see "tenant deletions"\n`,
      )
    }
    return found.length > 0 && !repair ? 1 : 0
  },
}

/** What was found, as an operator wants to read it. */
interface FoundDrift {
  readonly kind: Finding['kind']
  readonly tenant: string | null
  readonly userId: string | null
  readonly userName: string | null
  readonly accountId: string | null
  readonly detail: string
  readonly marked: boolean
}

async function compare(
  io: CommandIo,
  db: Kysely<Database>,
  config: Config,
  repair: boolean,
): Promise<FoundDrift[]> {
  const { campaignManagerUrl } = config
  if (campaignManagerUrl === undefined) {
    throw new ConfigError([
      'CAMPAIGN_MANAGER_URL: must be set; the sandbox inside a running service is at the address that its start prints',
    ])
  }
  const { campaignManager, roleCatalog } = connectCampaignManager({
    config: { ...config, campaignManagerUrl },
    clock: systemClock,
  })
  try {
    const context = {
      db,
      campaignManager,
      roleCatalog,
      placeholderRole: config.placeholderRole,
      policies: config,
    }
    const findings = await walkOnce(io, db, (walk, place) => takeInventoryStep(context, walk, place), repair)
    if (repair) await inTransaction(db, retryFailing)
    return await described(db, findings, repair)
  } finally {
    await campaignManager.close()
  }
}

/** A walk of its own, beside the service's: what it has seen is remembered under an id that nobody else uses. */
async function walkOnce(
  io: CommandIo,
  db: Kysely<Database>,
  takeStep: TakeStep,
  repair: boolean,
): Promise<Finding[]> {
  let stopped = false
  void io.stopRequested.then(() => {
    stopped = true
  })
  const walk = { id: randomUUID(), began: await databaseNow(db) }
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

function print(io: CommandIo, found: readonly FoundDrift[], repair: boolean): void {
  if (found.length === 0) {
    io.out('Every account is as it should be.\n')
    return
  }
  io.out(
    formatTable(
      ['KIND', 'TENANT', 'USER', 'USER NAME', 'ACCOUNT', 'DETAIL'],
      found.map(({ kind, tenant, userId, userName, accountId, detail }) =>
        [kind, tenant, userId, userName, accountId, detail].map((cell) => shown(cell ?? '-')),
      ),
    ),
  )
  const marked = new Set(found.flatMap(({ marked, userId }) => (marked && userId ? [userId] : []))).size
  if (repair && marked === 1) io.err('1 user marked; a running service mends the account\n')
  else if (repair) io.err(`${marked} users marked; a running service mends their accounts\n`)
  else if (found.some(({ kind }) => kind !== 'orphan' && kind !== 'duplicate')) {
    io.err('nothing was changed; "drift --repair" has a running service mend what can be mended\n')
  }
}

/** Without control characters, which a terminal would obey: names come from elsewhere. */
const shown = (cell: string): string => cell.replaceAll(/\p{Cc}/gu, ' ')
