import { sql } from 'kysely'
import t from 'tap'
import { addMembers, groupBody, patchBody, removeMembers, userBody } from '../support/scim-client.ts'
import { startTestService } from '../support/service.ts'
import { checkWhole, entries } from './setup.ts'

const CLIENTS = 8
const WRITES = 50

t.test(
  'eight clients write through two services, which reconcile meanwhile, and the chain is whole',
  async (t) => {
    const one = await startTestService(t, { env: { RECONCILE: 'on' } })
    const two = await startTestService(t, { beside: one, env: { RECONCILE: 'on' } })
    const { db } = one.database
    const group = (await one.scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
    const services = [one, two]
    let accepted = 1
    await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        const send = async (write: number, ...request: Parameters<typeof one.scim>) => {
          const answer = await (services[(client + write) % 2] ?? one).scim(...request)
          t.ok(
            answer.status < 300,
            `${request[0]} ${request[1]}: ${answer.status} ${answer.body?.detail ?? ''}`,
          )
          accepted += 1
          return answer
        }
        const id = (await send(0, 'POST', '/Users', userBody(`person-${client}`))).body.id
        for (let write = 1; write < WRITES; write += 1) {
          if (write % 3 === 0) {
            const value = `name ${write}`
            await send(
              write,
              'PATCH',
              `/Users/${id}`,
              patchBody({ op: 'replace', path: 'displayName', value }),
            )
          } else {
            const change = write % 3 === 1 ? addMembers(id) : removeMembers(id)
            await send(write, 'PATCH', `/Groups/${group}`, change)
          }
        }
      }),
    )
    const all = await entries(db)
    t.equal(all.filter(({ actor }) => actor === 'SCIM_TOKEN').length, accepted, 'one entry for each')
    t.equal(all.at(-1)?.sequence, String(all.length), 'without gaps')
    t.ok(
      all.every(({ at }, index) => index === 0 || at >= (all[index - 1]?.at ?? at)),
      'in the order of time',
    )
    await checkWhole(t, db)
    const { rows } = await sql`
    select from pg_stat_database where datname = current_database() and deadlocks > 0`.execute(db)
    t.equal(rows.length, 0, 'no deadlock')
  },
)
