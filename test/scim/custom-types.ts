import { readSchemaExtensions } from '../../src/schema-extensions.ts'
import { createResourceTypes } from '../../src/scim/resource-types.ts'

export const ACME = 'urn:acme:params:scim:schemas:extension:acme:2.0:User'
export const GRADE = 'urn:acme:params:scim:schemas:extension:grade:1.0:User'
export const CLUB = 'urn:acme:params:scim:schemas:extension:club:1.0:Group'

/** What an operator could write, with one attribute of every sort. */
const declared = [
  {
    resourceType: 'User',
    schema: {
      id: ACME,
      name: 'Acme',
      attributes: [
        { name: 'shoeSize', type: 'decimal' },
        { name: 'tags', multiValued: true },
        { name: 'codes', multiValued: true, caseExact: true },
        { name: 'levels', type: 'integer', multiValued: true },
        { name: 'seen', type: 'dateTime', multiValued: true },
        { name: 'answers', type: 'boolean', multiValued: true },
        { name: 'contract', mutability: 'immutable' },
        { name: 'origins', multiValued: true, mutability: 'immutable' },
        { name: 'note', returned: 'request' },
        { name: 'kind', returned: 'always' },
        {
          name: 'badge',
          type: 'complex',
          subAttributes: [
            { name: 'number', type: 'integer', required: true },
            { name: 'color' },
            { name: 'serial', mutability: 'immutable' },
            { name: 'pin', returned: 'request' },
            { name: 'issuer', returned: 'always' },
          ],
        },
        {
          name: 'skills',
          type: 'complex',
          multiValued: true,
          subAttributes: [
            { name: 'value', required: true },
            { name: 'type', canonicalValues: ['work', 'home'] },
            { name: 'primary', type: 'boolean' },
            { name: 'level', type: 'integer' },
          ],
        },
        {
          name: 'amounts',
          type: 'complex',
          multiValued: true,
          subAttributes: [{ name: 'value', type: 'decimal' }, { name: 'currency' }],
        },
        {
          name: 'labels',
          type: 'complex',
          multiValued: true,
          subAttributes: [{ name: 'type' }, { name: 'display' }],
        },
        {
          name: 'site',
          type: 'complex',
          subAttributes: [
            { name: '$ref', type: 'reference', referenceTypes: ['external'] },
            { name: 'room' },
          ],
        },
      ],
    },
  },
  {
    resourceType: 'User',
    schema: {
      id: GRADE,
      name: 'Grade',
      attributes: [
        { name: 'grade', required: true },
        { name: 'marks', multiValued: true, required: true },
        { name: 'step', type: 'integer' },
      ],
    },
  },
  {
    resourceType: 'Group',
    required: true,
    schema: {
      id: CLUB,
      name: 'Club',
      attributes: [{ name: 'motto' }, { name: 'colors', multiValued: true }],
    },
  },
]

export const { user: customUser, group: customGroup } = createResourceTypes(
  readSchemaExtensions(declared).extensions,
)
