import { type ResourceType, resourceType } from './attribute.ts'
import type { SchemaExtension } from './schema-extension.ts'
import { enterpriseUserSchema } from './schemas/enterprise-user.ts'
import { groupSchema } from './schemas/group.ts'
import { serverAttributes } from './schemas/resource.ts'
import { userSchema } from './schemas/user.ts'

export interface ResourceTypes {
  readonly user: ResourceType
  readonly group: ResourceType
}

/** Users and groups, with the extensions of the setting SCHEMA_EXTENSIONS beside the standard one. */
export function createResourceTypes(extensions: readonly SchemaExtension[]): ResourceTypes {
  const extending = (name: string) => extensions.filter(({ resourceType }) => resourceType === name)
  return {
    user: resourceType(
      {
        name: 'User',
        endpoint: '/Users',
        description: 'User Account',
        schema: userSchema,
        // Entra sends `manager` without the URN (fixture manager-add-bare-path).
        extensions: [
          { schema: enterpriseUserSchema, required: false, isStandard: true },
          ...extending('User'),
        ],
      },
      serverAttributes,
    ),
    group: resourceType(
      {
        name: 'Group',
        endpoint: '/Groups',
        description: 'Group',
        schema: groupSchema,
        extensions: extending('Group'),
      },
      serverAttributes,
    ),
  }
}
