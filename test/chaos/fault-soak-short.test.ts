// The short form of fault-soak.chaos.ts.
import t from 'tap'
import { soak } from './fault-soak.ts'

t.setTimeout(240_000)

t.test('everything is right after a short soak in faults, a crash and a kill', (t) =>
  soak(t, {
    users: 40,
    groups: 8,
    operations: 220,
    clients: 8,
    faultShare: 0.2,
    crashes: 1,
    kills: 1,
    timeoutMs: 300,
    pace: 0,
    lingerMs: 500,
    patient: false,
  }),
)
