import { readFileSync } from 'node:fs'
import { ConfigError, loadConfig } from '../config.ts'
import { loadAllTenantSettings } from '../directory/tenant-settings.ts'
import { changeTenantSettings } from '../provisioning/change-tenant-settings.ts'
import { createEncryptionKeys, SealedSecretError } from '../sealed-secret.ts'
import { keyOwner } from '../tenant-campaign-manager.ts'
import type { CommandIo } from './command.ts'
import { withDatabase } from './database.ts'

/** Encrypts the keys of all tenants with the first key of ENCRYPTION_KEY. What cannot be read is left as it is, and told. */
export async function reencrypt(io: CommandIo): Promise<number> {
  const { ENCRYPTION_KEY, ENCRYPTION_KEY_FILE } = io.env
  const config = loadConfig({ ENCRYPTION_KEY, ENCRYPTION_KEY_FILE }, (path) => readFileSync(path, 'utf8'))
  if (config.encryptionKey === undefined) throw new ConfigError(['ENCRYPTION_KEY: must be set'])
  const keys = createEncryptionKeys(config.encryptionKey)
  const { done, failures } = await withDatabase(io, async (db) => {
    let done = 0
    const failures: string[] = []
    for (const { tenantId, name, campaignManager } of await loadAllTenantSettings(db)) {
      if (!campaignManager || keys.isCurrent(campaignManager.sealedKey)) continue
      try {
        // Read again under the lock: the key may have been changed since.
        await changeTenantSettings(db, tenantId, (current) => {
          const own = current.campaignManager
          const owner = keyOwner(tenantId)
          if (!own || keys.isCurrent(own.sealedKey)) return current
          const sealedKey = keys.seal(keys.open(own.sealedKey, owner), owner)
          return { ...current, campaignManager: { ...own, sealedKey } }
        })
        done += 1
      } catch (error) {
        if (!(error instanceof SealedSecretError)) throw error
        failures.push(`tenant ${name}: ${error.message}`)
      }
    }
    return { done, failures }
  })
  io.out(`${done} keys encrypted anew\n`)
  for (const failure of failures) io.err(`${failure}\n`)
  return failures.length > 0 ? 1 : 0
}
