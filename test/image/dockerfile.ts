/** One instruction of a Dockerfile, as far as this project writes them. */
export interface Instruction {
  readonly keyword: string
  /** `--from=x` as `from: x`. */
  readonly flags: Readonly<Record<string, string>>
  /** The words of the exec form or of a list; undefined where the rest is a text. */
  readonly words: readonly string[] | undefined
  readonly text: string
}

export interface Stage {
  readonly name: string
  /** An image, or the name of a stage before. */
  readonly base: string
  readonly instructions: readonly Instruction[]
}

const KNOWN = new Set(
  'ARG FROM WORKDIR COPY RUN LABEL ENV USER EXPOSE STOPSIGNAL ENTRYPOINT CMD HEALTHCHECK'.split(' '),
)

/** Reads a Dockerfile; refuses what it does not understand, so that nothing of the file goes unchecked. */
export function parseDockerfile(text: string): Stage[] {
  const variables = new Map<string, string>()
  const stages: { name: string; base: string; instructions: Instruction[] }[] = []
  for (const line of logicalLines(text)) {
    const [, keyword = '', rest = ''] = /^(\S+)\s+(.*)$/s.exec(line) ?? []
    if (!KNOWN.has(keyword)) throw new Error(`the Dockerfile's instruction is not understood: ${line}`)
    const instruction = readInstruction(keyword, expand(rest, variables))
    if (keyword === 'ARG') {
      const [name = '', value = ''] = instruction.text.split('=')
      variables.set(name, value)
    } else if (keyword === 'FROM') {
      const [base = '', , name = ''] = instruction.text.split(/\s+/)
      stages.push({ name, base, instructions: [] })
    } else {
      const stage = stages.at(-1)
      if (!stage) throw new Error(`before the first FROM: ${line}`)
      stage.instructions.push(instruction)
    }
  }
  return stages
}

/** Without comments, and continued lines made one. */
const logicalLines = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

const expand = (text: string, variables: ReadonlyMap<string, string>): string =>
  text.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = variables.get(name)
    if (value === undefined) throw new Error(`the Dockerfile uses ${name} and does not declare it`)
    return value
  })

function readInstruction(keyword: string, rest: string): Instruction {
  const flags: Record<string, string> = {}
  let text = rest
  for (let match = leadingFlag(text); match; match = leadingFlag(text)) {
    const [whole, name = '', value = ''] = match
    flags[name] = value
    text = text.slice(whole.length)
  }
  const [command = ''] = keyword === 'HEALTHCHECK' ? (/^CMD\s+/.exec(text) ?? []) : []
  const exec = text.slice(command.length)
  return { keyword, flags, text, words: exec.startsWith('[') ? JSON.parse(exec) : undefined }
}

const leadingFlag = (text: string) => /^--([\w-]+)=(\S+)\s+/.exec(text)

/** `A=b C="d e"`, as of ENV and LABEL. */
export const readPairs = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/([\w.-]+)=("[^"]*"|\S+)/g)].map(([, name = '', value = '']) => [
      name,
      value.replace(/^"|"$/g, ''),
    ]),
  )
