// The long form of test/reliability/model.test.ts. MODEL_RUNS says how many sequences, CHAOS_SEED or MODEL_SEED which.
process.env.MODEL_RUNS ??= '1500'
if (process.env.CHAOS_SEED !== undefined) process.env.MODEL_SEED ??= process.env.CHAOS_SEED
await import('../reliability/model.test.ts')

export {}
