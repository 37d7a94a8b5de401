import { parseArguments } from './arguments.ts'
import { exportTrail, showHeads, verifyTrails } from './audit-chain.ts'
import { listTrail } from './audit-list.ts'
import { type AuditOptions, auditOptions } from './audit-options.ts'
import { erase, prune } from './audit-upkeep.ts'
import { type Command, type CommandIo, UsageError } from './command.ts'

interface Action {
  readonly allowed: readonly (keyof AuditOptions)[]
  readonly run: (io: CommandIo, values: AuditOptions) => Promise<number>
}

const actions: Readonly<Record<string, Action>> = {
  list: {
    allowed: ['tenant', 'user', 'group', 'since', 'until', 'operation', 'limit', 'json'],
    run: listTrail,
  },
  verify: { allowed: ['tenant', 'head', 'json'], run: verifyTrails },
  export: { allowed: ['tenant', 'since-sequence'], run: exportTrail },
  head: { allowed: ['tenant', 'json'], run: showHeads },
  erase: { allowed: ['tenant', 'user'], run: erase },
  prune: { allowed: ['tenant', 'older-than-days'], run: prune },
}

export const auditCommand: Command = {
  help: `Usage: audit list [--tenant TENANT] [--user ID|USERNAME] [--group ID] [--since TIME] [--until TIME]
                  [--operation NAME] [--limit N] [--json]
       audit verify [--tenant TENANT [--head SEQUENCE:HASH]] [--json]
       audit export [--tenant TENANT] [--since-sequence N]
       audit head [--tenant TENANT] [--json]
       audit erase --tenant TENANT --user ID
       audit prune --older-than-days N [--tenant TENANT]

Every accepted change of a user or group, every write to Campaign Manager with what became of it, and every change of
tenants and credentials is an entry of its tenant's trail. Without --tenant, all tenants are meant.

  list     the newest entries, oldest first; 50 unless --limit says otherwise. --user finds group changes that concern the
           user too. --operation is a whole name, "group.change", or its first word, "account". Times are ISO 8601:
           2026-03-01, 2026-03-01T12:00:00Z
  verify   follows each chain from its first entry to its newest and names the first entry that is not as it was written.
           --head compares with a head from elsewhere, such as the log: only that shows that the end was cut off
  export   one entry a line, as JSON, to be verified elsewhere by the rule in docs/audit.md
  head     the newest entry of each trail and its hash
  erase    forgets which person an id meant; the entries hold only the id, and stay
  prune    takes entries away that are older; what is left still verifies

Exit status: 0 done and whole; 1 something is wrong, or was not found; 2 wrong use.

Settings: DATABASE_URL, or DATA_DIR for the embedded database. "prune" needs a database role that may delete entries.
`,
  async run(args, io) {
    const { values, positionals } = parseArguments(args, auditOptions, { allowPositionals: true })
    const [name = '', ...rest] = positionals
    const action = Object.hasOwn(actions, name) ? actions[name] : undefined
    if (!action || rest.length > 0) {
      throw new UsageError(`say "audit ${Object.keys(actions).join('", "audit ')}"`)
    }
    const stray = Object.keys(values).find((option) => !action.allowed.some((each) => each === option))
    if (stray !== undefined) throw new UsageError(`--${stray} is not for "audit ${name}"`)
    return action.run(io, values)
  },
}
