import t from 'tap'
import { includesRole, matchRole } from '../../src/roles/role-name.ts'

t.test('a group name finds its role', async (t) => {
  t.equal(matchRole('Agents', ['agents', 'Agents']), 'Agents', 'the exact name wins')
  t.equal(matchRole('AGENTS', ['Analyst', 'Agents']), 'Agents', 'else without case, spelled as the role is')
  t.equal(matchRole('AGENTS', ['agents', 'Agents']), undefined, 'two roles that differ in case are ambiguous')
  t.equal(matchRole('Editors', ['Agents']), undefined)
  t.equal(matchRole('constructor', []), undefined)
})

t.test('names are compared without case and in composed form', async (t) => {
  t.ok(includesRole(['Caf\u00e9'], 'CAFE\u0301'))
  t.notOk(includesRole(['Agents'], 'Agent'))
})
