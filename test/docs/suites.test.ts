import { globSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import packageJson from '../../package.json' with { type: 'json' }
import { APART, filesIn, SUITES } from '../suites/folders.ts'
import { ROOT } from './markdown.ts'

t.test('every test is run, and once', async (t) => {
  const run = packageJson.tap.include.flatMap((pattern) => globSync(pattern, { cwd: ROOT }))
  const suites = Object.keys(SUITES) as (keyof typeof SUITES)[]
  const bySuites = suites.flatMap((suite) => filesIn(suite).map((file) => join('test', file)))
  const alone = run.filter((path) => path.endsWith('.test.ts'))
  t.same([...bySuites, ...alone].sort(), globSync('test/**/*.test.ts', { cwd: ROOT }).sort())
  t.same(
    run.filter((path) => path.endsWith('.suite.ts')).sort(),
    suites.map((suite) => `test/suites/${suite}.suite.ts`).sort(),
  )
  for (const file of APART) t.ok(alone.includes(join('test', file)), file)
})
