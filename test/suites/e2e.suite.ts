import { runSuite } from './folders.ts'

await runSuite('e2e')
