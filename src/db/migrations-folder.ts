import { fileURLToPath } from 'node:url'

/** Where this version's migrations are. */
export const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))
