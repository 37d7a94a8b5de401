import t from 'tap'
import { type Answers, differences, fill, loadFixtures, present } from './exchange.ts'
import { pureDirectory } from './pure-directory.ts'

for (const fixture of loadFixtures()) {
  t.test(`Entra: ${fixture.name} (${fixture.source})`, async (t) => {
    const send = pureDirectory()
    const answers: Answers = { users: [], groups: [], responses: [] }
    for (const [list, path] of [['users', '/Users'] as const, ['groups', '/Groups'] as const]) {
      for (const body of fixture.given[list]) {
        const { status, body: created } = send({ method: 'POST', path, body: fill(body, answers) })
        t.equal(status, 201, `a given resource of ${path} is created`)
        answers[list].push(created)
      }
    }
    for (const exchange of fixture.exchanges) {
      const { request, response } = fill(exchange, answers)
      const answer = send(request)
      answers.responses.push(answer.body)
      const what = `${request.method} ${request.path}`
      t.equal(answer.status, response.status, `${what}: status`)
      t.strictSame(differences(response.body ?? {}, answer.body ?? {}), [], `${what}: body`)
      t.strictSame(present(response.absent ?? [], answer.body), [], `${what}: nothing that must be absent`)
    }
  })
}
