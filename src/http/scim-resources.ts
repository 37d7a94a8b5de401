import { groupsOf, membersOf } from '../directory/members.ts'
import type { ResourceStore } from '../directory/resources.ts'
import { patchGroup, replaceGroup } from '../provisioning/change-group.ts'
import { patchUser, replaceUser } from '../provisioning/change-user.ts'
import type { ProvisioningContext } from '../provisioning/context.ts'
import { createGroup } from '../provisioning/create-group.ts'
import { createUser } from '../provisioning/create-user.ts'
import { deleteGroup } from '../provisioning/delete-group.ts'
import { deleteUser } from '../provisioning/delete-user.ts'
import { readGroup } from '../provisioning/read-group.ts'
import { wantsAttribute } from '../scim/project.ts'
import { groupElements, memberElements } from './present.ts'
import type { ResourceUseCases } from './resource-use-cases.ts'

/** The use cases behind /Users and /Groups. */
export function scimResources(context: ProvisioningContext): ResourceUseCases[] {
  const ofStore = (store: ResourceStore): Pick<ResourceUseCases, 'type' | 'find'> => ({
    type: store.type,
    find: (tenantId, id) => store.find(context.db, tenantId, id),
  })
  return [
    {
      ...ofStore(context.users),
      prepare: async () => {},
      create: (tenantId, body, id) => createUser(context, tenantId, body, id),
      replace: (tenantId, id, body, ifMatch) => replaceUser(context, tenantId, id, body, ifMatch),
      patch: (tenantId, id, body, ifMatch) => patchUser(context, tenantId, id, body, ifMatch),
      delete: (tenantId, id, ifMatch) => deleteUser(context, tenantId, id, ifMatch),
      async parts(tenantId, ids, base, projection) {
        if (!wantsAttribute(context.users.type, projection, 'groups')) return new Map()
        const groups = await groupsOf(context.db, tenantId, ids)
        return new Map([...groups].map(([id, ofUser]) => [id, groupElements(base, ofUser)]))
      },
      patchAnswersNoContent: false,
    },
    {
      ...ofStore(context.groups),
      prepare: (body) => context.checkGroupName(readGroup(context.groups.type, body).displayName),
      create: (tenantId, body, id) => createGroup(context, tenantId, body, id),
      replace: (tenantId, id, body, ifMatch) => replaceGroup(context, tenantId, id, body, ifMatch),
      patch: (tenantId, id, body, ifMatch) => patchGroup(context, tenantId, id, body, ifMatch),
      delete: (tenantId, id, ifMatch) => deleteGroup(context, tenantId, id, ifMatch),
      async parts(tenantId, ids, base, projection) {
        if (!wantsAttribute(context.groups.type, projection, 'members')) return new Map()
        const members = await membersOf(context.db, tenantId, ids)
        return new Map([...members].map(([id, userIds]) => [id, memberElements(base, userIds)]))
      },
      patchAnswersNoContent: true,
    },
  ]
}
