import t from 'tap'
import { checkScripts } from './scripted-faults.ts'

// The same scripts in every run; the long form in test/chaos tries others.
const SEED = 1

t.setTimeout(120_000)

t.test('whatever Campaign Manager answers during a change, the account follows in the end', (t) =>
  checkScripts(t, 'one', 25, SEED),
)

t.test('and so do the accounts of two of whom one wants the other’s address', (t) =>
  checkScripts(t, 'two', 10, SEED),
)
