import { runSuite } from './folders.ts'

await runSuite('security')
