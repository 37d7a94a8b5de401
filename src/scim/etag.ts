/** Weak, because two representations of one version may differ in what they leave out (RFC 7644 §3.9, §3.14). */
export const etagOf = (version: string | number): string => `W/"${version}"`

/** `If-Match` and `If-None-Match`: RFC 9110 §13.1, always by weak comparison (§8.8.3.2), as all our tags are weak. */
export function matchesEtag(header: string, etag: string): boolean {
  const tags = header.split(',').map((tag) => opaque(tag.trim()))
  return tags.includes('*') || tags.includes(opaque(etag))
}

const opaque = (tag: string): string => (tag.startsWith('W/') ? tag.slice(2) : tag)
