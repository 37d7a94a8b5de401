import t from 'tap'
import { soak } from './fault-soak.ts'

t.setTimeout(7_200_000)

t.test('everything is right after a soak in faults, crashes and kills', (t) =>
  soak(t, {
    users: Number(process.env.CHAOS_USERS ?? 2000),
    groups: 50,
    operations: Number(process.env.CHAOS_OPERATIONS ?? 10_000),
    clients: 16,
    faultShare: 0.2,
    crashes: 2,
    kills: 5,
    timeoutMs: 2000,
    pace: 60,
    lingerMs: 20_000,
    patient: true,
  }),
)
