import type { TenantConnections } from './connect-tenants.ts'
import { checkGroupName, type GroupNamePolicy } from './provisioning/group-name.ts'
import { TenantUnusableError } from './tenant-campaign-manager.ts'

type Circumstances = Pick<GroupNamePolicy, 'patience' | 'log'>

/**
 * Checks a group's name by the tenant's own policies and its own Campaign Manager's roles. One that cannot be asked, because the
 * tenant's settings are of no use, is as one that does not answer: the group is accepted and held.
 */
export async function checkTenantGroupName(
  tenants: Pick<TenantConnections, 'use'>,
  circumstances: Circumstances,
  tenantId: number,
  displayName: string,
): Promise<void> {
  try {
    await tenants.use(tenantId, ({ policies, roleCatalog }) =>
      checkGroupName({ ...policies, roleCatalog, ...circumstances }, displayName),
    )
  } catch (error) {
    if (!(error instanceof TenantUnusableError) || !error.policies) throw error
    const roleCatalog = { get: () => Promise.reject(error), peek: () => undefined, invalidate: () => {} }
    await checkGroupName({ ...error.policies, roleCatalog, ...circumstances }, displayName)
  }
}
