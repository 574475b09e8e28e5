// A certificate for servers of our own on the loopback addresses: it signs itself, so it is also what clients trust.

import { chownSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { requirePrograms, runText } from './program.ts';
import type { User } from './unprivileged.ts';

export interface Certificate {
  certificateFile: string;
  /** Readable for its owner alone. */
  keyFile: string;
  pem: string;
}

const program = { name: 'openssl', debianPackage: 'openssl', macos: 'brew install openssl' };

/** Good for 30 days. The files belong to the user who reads them, if one is given. */
export async function selfSignedCertificate(
  server: string,
  folder: string,
  address: string,
  user?: User,
): Promise<Certificate> {
  const [openssl] = await requirePrograms(server, [program]);
  mkdirSync(folder, { recursive: true });
  const certificateFile = join(folder, 'certificate.pem');
  const keyFile = join(folder, 'key.pem');
  await runText(openssl!, [
    ...['req', '-x509', '-days', '30', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...['-subj', `/CN=${address}`, '-addext', `subjectAltName=IP:${address},DNS:localhost`],
    ...['-out', certificateFile, '-keyout', keyFile],
  ]);
  if (user) for (const file of [certificateFile, keyFile]) chownSync(file, user.uid, user.gid);
  return { certificateFile, keyFile, pem: readFileSync(certificateFile, 'utf8') };
}
