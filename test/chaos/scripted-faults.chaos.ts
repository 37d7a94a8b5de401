// The long form of test/reliability/scripted-faults.test.ts. SCRIPTS says how many of each kind, CHAOS_SEED which.
import t from 'tap'
import { checkScripts } from '../reliability/scripted-faults.ts'

const SCRIPTS = Number(process.env.SCRIPTS ?? 3000)
const SEED = process.env.CHAOS_SEED === undefined ? undefined : Number(process.env.CHAOS_SEED)

t.setTimeout(7_200_000)

t.test('whatever Campaign Manager answers during a change, the account follows in the end', (t) =>
  checkScripts(t, 'one', SCRIPTS, SEED),
)

t.test('and so do the accounts of two of whom one wants the other’s address', (t) =>
  checkScripts(t, 'two', SCRIPTS, SEED),
)
