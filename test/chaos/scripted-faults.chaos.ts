// The long form of test/reliability/scripted-faults.test.ts. SCRIPTS says how many, CHAOS_SEED which.
import t from 'tap'
import { checkScripts } from '../reliability/scripted-faults.ts'

t.setTimeout(7_200_000)

t.test('whatever Campaign Manager answers during a change, the account follows in the end', (t) =>
  checkScripts(t, Number(process.env.SCRIPTS ?? 4000)),
)
