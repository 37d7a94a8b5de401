import { runSuite } from './folders.ts'

await runSuite('rules')
