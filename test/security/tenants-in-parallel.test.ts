import t from 'tap'
import { twoTenantsAtOnce } from './tenants-in-parallel.ts'

t.test('two tenants at once: nothing of one is in the other’s answers', (t) => twoTenantsAtOnce(t, 120))
