import { tenantOf } from '../security/setup.ts'
import { fillGroup } from '../support/filled-group.ts'
import { groupBody, type ScimRequest } from '../support/scim-client.ts'
import type { TestService } from '../support/service.ts'

/** A new tenant with one group, `Campaign Editor`, that has as many members. */
export async function tenantWithGroup(
  service: TestService,
  name: string,
  members: number,
): Promise<{ readonly scim: ScimRequest; readonly groupId: string }> {
  const { db } = service.database
  const { scim } = await tenantOf(service, name)
  const groupId = (await scim('POST', '/Groups', groupBody('Campaign Editor'))).body.id
  const { tenant_id: tenantId } = await db
    .selectFrom('tenant')
    .select('tenant_id')
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
  await fillGroup(db, { tenantId, groupId, members, areWaiting: false })
  return { scim, groupId }
}
