/** JSON in as few lines of at most `width` columns as it takes. A text that is longer stays whole. */
export function layOut(value: unknown, width: number): string[] {
  const whole = inline(value)
  if (typeof value !== 'object' || value === null) return [whole]
  if (whole.length <= width || Object.keys(value).length === 0) return [whole]
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}']
  const members = Object.entries(value).map(([name, each]) => {
    const label = Array.isArray(value) ? '' : `${JSON.stringify(name)}: `
    const [first = '', ...more] = layOut(each, width - label.length - 2)
    return [label + first, ...more]
  })
  const lines: string[] = []
  members.forEach((member, index) => {
    const text = index === members.length - 1 ? member : [...member.slice(0, -1), `${member.at(-1)},`]
    const last = lines.at(-1)
    const joined = `${last} ${text[0]}`
    const fits = last?.endsWith(',') && text.length === 1 && joined.length <= width - 2
    if (fits) lines.splice(-1, 1, joined)
    else lines.push(...text)
  })
  return lines.map((line, index) => {
    const opened = `${index === 0 ? open : ' '}${line}`
    return index === lines.length - 1 ? opened + close : opened
  })
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  return `{${Object.entries(value)
    .map(([name, each]) => `${JSON.stringify(name)}: ${inline(each)}`)
    .join(', ')}}`
}
