import type { Attribute } from './attribute.ts'
import { parseDateTime } from './date-time.ts'

/**
 * The form in which strings of caseExact:false are compared, by filters and for uniqueness alike. RFC 7644 §5 wants
 * userName prepared as PRECIS UsernameCaseMapped (RFC 8265 §3.3): width mapping, lower case, NFC. NFKC does the width
 * mapping, and also takes away the other compatibility forms, which PRECIS does not let into a user name at all.
 */
export function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase().normalize('NFC')
}

/** RFC 7644 §3.4.2.2: a text is compared by the attribute's caseExact, a moment by when it is, in milliseconds since 1970. */
export function comparable({ type, caseExact }: Attribute, text: string): string | number {
  if (type === 'dateTime') return parseDateTime(text) ?? text
  return caseExact ? text : fold(text)
}
