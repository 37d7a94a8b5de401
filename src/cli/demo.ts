import type { Command } from './command.ts'

export const demoCommand: Command = { summary: '', help: '', run: async () => 1 }
