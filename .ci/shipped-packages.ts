import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface ShippedPackage {
  readonly name: string
  readonly version: string
  readonly license: string
}

interface Locked {
  readonly dev?: boolean
  readonly devOptional?: boolean
  readonly optional?: boolean
}

const root = join(import.meta.dirname, '..')
const read = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'))

/** The packages that `npm ci --omit=dev` installs on this machine. */
export function shippedPackages(): ShippedPackage[] {
  return (
    Object.entries<Locked>(read('package-lock.json').packages)
      .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
      // Those for other machines are not installed.
      .filter(([path, { optional }]) => !optional || existsSync(join(root, path)))
      .map(([path]) => {
        const { name, version, license } = read(join(path, 'package.json'))
        return { name, version, license: String(license?.type ?? license) }
      })
  )
}
