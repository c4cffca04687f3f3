/** A certificate authority of one test, and what it signed, as files in PEM. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface Certificates {
  /** The authority's certificate. */
  readonly ca: string
  /** Of another authority, which signed nothing here. */
  readonly otherCa: string
  /** Certificate, key, and both with the authority behind, for `127.0.0.1` and `localhost`. */
  readonly cert: string
  readonly key: string
  readonly keystore: string
  remove(): void
}

const run = promisify(execFile)
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** Errors: openssl is not installed. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-certificates-'))
  const file = (name: string): string => join(folder, name)
  const openssl = (...parameters: string[]): Promise<unknown> => run('openssl', parameters)
  const authority = (name: string): Promise<unknown> => {
    const made = ['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`), '-subj', `/CN=${name}`]
    return openssl('req', '-x509', ...newKey, '-days', '2', ...made)
  }
  try {
    await Promise.all([authority('ca'), authority('other')])
    const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost'
    const request = [
      '-keyout',
      file('own.key'),
      '-out',
      file('own.csr'),
      '-subj',
      '/CN=own',
      '-addext',
      names,
    ]
    await openssl('req', ...newKey, ...request)
    const signer = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial']
    const signed = ['-in', file('own.csr'), '-copy_extensions', 'copy', '-days', '2', '-out', file('own.pem')]
    await openssl('x509', '-req', ...signer, ...signed)
  } catch (error) {
    rmSync(folder, { recursive: true })
    throw new Error('Certificates need openssl: apt-get install -y openssl', { cause: error })
  }
  const keystore = ['own.key', 'own.pem', 'ca.pem'].map((name) => readFileSync(file(name), 'utf8'))
  writeFileSync(file('keystore.pem'), keystore.join(''))
  return {
    ca: file('ca.pem'),
    otherCa: file('other.pem'),
    cert: file('own.pem'),
    key: file('own.key'),
    keystore: file('keystore.pem'),
    remove: () => rmSync(folder, { recursive: true }),
  }
}
