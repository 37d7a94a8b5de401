const PATTERN = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(Z|[+-]\d{2}:\d{2})?$/

/**
 * RFC 7643 §2.3.5: an xsd:dateTime, date and time both. Returns milliseconds since 1970, so that two moments compare
 * across their offsets; undefined when it is none. Without an offset it is taken as UTC.
 */
export function parseDateTime(text: string): number | undefined {
  const match = PATTERN.exec(text)
  if (!match) return undefined
  const [, year, month, day, , , , zone] = match
  // Date.parse takes the 30th of February for the 1st of March.
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
  if (Number(day) > lastDay) return undefined
  const time = Date.parse(zone ? text : `${text}Z`)
  return Number.isNaN(time) ? undefined : time
}
