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
      create: (caller, body, id) => createUser(context, caller, body, id),
      replace: (caller, id, body, ifMatch) => replaceUser(context, caller, id, body, ifMatch),
      patch: (caller, id, body, ifMatch) => patchUser(context, caller, id, body, ifMatch),
      delete: (caller, id, ifMatch) => deleteUser(context, caller, id, ifMatch),
      async parts(tenantId, ids, base, projection) {
        if (!wantsAttribute(context.users.type, projection, 'groups')) return new Map()
        const groups = await groupsOf(context.db, tenantId, ids)
        return new Map([...groups].map(([id, ofUser]) => [id, groupElements(base, ofUser)]))
      },
      patchAnswersNoContent: false,
    },
    {
      ...ofStore(context.groups),
      prepare: (tenantId, body) =>
        context.checkGroupName(tenantId, readGroup(context.groups.type, body).displayName),
      create: (caller, body, id) => createGroup(context, caller, body, id),
      replace: (caller, id, body, ifMatch) => replaceGroup(context, caller, id, body, ifMatch),
      patch: (caller, id, body, ifMatch) => patchGroup(context, caller, id, body, ifMatch),
      delete: (caller, id, ifMatch) => deleteGroup(context, caller, id, ifMatch),
      async parts(tenantId, ids, base, projection) {
        if (!wantsAttribute(context.groups.type, projection, 'members')) return new Map()
        const members = await membersOf(context.db, tenantId, ids)
        return new Map([...members].map(([id, userIds]) => [id, memberElements(base, userIds)]))
      },
      patchAnswersNoContent: true,
    },
  ]
}
