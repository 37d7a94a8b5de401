/**
 * The form in which strings of caseExact:false are compared, by filters and for uniqueness alike. RFC 7644 §5 wants
 * userName prepared as PRECIS UsernameCaseMapped (RFC 8265 §3.3): width mapping, lower case, NFC. NFKC does the width
 * mapping, and also takes away the other compatibility forms, which PRECIS does not let into a user name at all.
 */
export function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase().normalize('NFC')
}
