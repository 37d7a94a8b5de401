import { type ResourceType, resourceType } from './attribute.ts'
import { enterpriseUserSchema } from './schemas/enterprise-user.ts'
import { groupSchema } from './schemas/group.ts'
import { serverAttributes } from './schemas/resource.ts'
import { userSchema } from './schemas/user.ts'

export const userType = resourceType(
  {
    name: 'User',
    endpoint: '/Users',
    description: 'User Account',
    schema: userSchema,
    extensions: [{ schema: enterpriseUserSchema, required: false }],
  },
  serverAttributes,
)

export const groupType = resourceType(
  { name: 'Group', endpoint: '/Groups', description: 'Group', schema: groupSchema, extensions: [] },
  serverAttributes,
)

export const resourceTypes: readonly ResourceType[] = [userType, groupType]
