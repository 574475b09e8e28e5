// An Active Directory domain controller of our own: Debian's Samba, provisioned anew for every start, of which only the
// LDAP server runs. Samba takes no other ports than 389 and 636, so each has a loopback address to itself; that needs
// root, on Linux. As by default, it takes no password in the clear.

import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Client, DN } from 'ldapts';
import { step } from '../progress.ts';
import { selfSignedCertificate } from './certificate.ts';
import type { Directory, DirectoryOptions } from './directory.ts';
import { fullName } from './people.ts';
import { isFree } from './port.ts';
import { launch, type StopSignals } from './process.ts';
import { MissingProgram, requirePrograms, runText } from './program.ts';

const samba = {
  name: 'samba',
  debianPackage: 'samba-ad-dc samba-ad-provision',
  needs: '/usr/share/samba/setup/provision.ldif',
  services: ['samba-ad-dc', 'smbd', 'nmbd', 'winbind'],
};
const sambaTool = { name: 'samba-tool', debianPackage: 'samba-common-bin' };
const setpriv = { name: 'setpriv', debianPackage: 'util-linux' };

const domain = 'RECOUP';
const realm = 'RECOUP.TEST';
const baseDn = 'DC=recoup,DC=test';
const usersDn = `CN=Users,${baseDn}`;
/** A crash of the machine may lose everything. */
const noSync = 'ldb:nosync = true';
const ports = [389, 636, 3268, 3269];

/** Of userAccountControl: [MS-ADTS] 2.2.16. */
const normalAccount = 0x200;
const accountDisabled = 0x2;

const stopSignals: StopSignals = [
  ['SIGTERM', 10_000],
  ['SIGKILL', 5_000],
];

/** Throws MissingProgram when there is no Samba and we cannot install it, or we are not root on Linux. */
export async function startSamba(options: DirectoryOptions): Promise<Directory> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new MissingProgram(
      'Active Directory (Samba) needs root on Linux, for port 389 of a loopback address',
    );
  }
  const [command, tool, withSignal] = await requirePrograms('Active Directory', [samba, sambaTool, setpriv]);
  const dataDir = resolve(options.dataDir);
  rmSync(dataDir, { recursive: true, force: true });
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const adminPassword = `Aa1-${randomBytes(16).toString('hex')}`;
  const address = await freeAddress();
  const certificate = await selfSignedCertificate('Active Directory', join(dataDir, 'tls'), address);
  await step('Active Directory: provisioning a domain', () =>
    runText(tool!, [
      ...['domain', 'provision', `--targetdir=${dataDir}`, `--realm=${realm}`, `--domain=${domain}`],
      ...['--server-role=dc', '--host-name=dc', `--host-ip=${address}`, '--dns-backend=NONE'],
      ...[`--adminpass=${adminPassword}`, `--option=${noSync}`],
    ]),
  );
  const configFile = join(dataDir, 'smb.conf');
  const config = [
    '[global]',
    `workgroup = ${domain}`,
    `realm = ${realm}`,
    'netbios name = DC',
    'server role = active directory domain controller',
    'server services = ldap',
    `interfaces = ${address}/8`,
    'bind interfaces only = yes',
    `tls certfile = ${certificate.certificateFile}`,
    `tls keyfile = ${certificate.keyFile}`,
    'tls cafile =',
    noSync,
    ...['private', 'state', 'cache', 'lock', 'pid', 'ncalrpc'].map((name) => {
      mkdirSync(join(dataDir, name), { recursive: true });
      const option = ['pid', 'state', 'cache', 'lock'].includes(name) ? `${name} directory` : `${name} dir`;
      return `${option} = ${join(dataDir, name)}`;
    }),
  ];
  writeFileSync(configFile, `${config.join('\n')}\n`, { mode: 0o600 });

  const url = `ldaps://${address}`;
  const administrator = { dn: `CN=Administrator,${usersDn}`, password: adminPassword };
  // It hides its command line, by which a killed starter's is found again. So it ends with its starter instead.
  const server = await launch({
    name: 'Active Directory',
    command: withSignal!,
    args: [
      ...['--pdeathsig', 'KILL', command!, '--foreground', '--model=single', '--no-process-group'],
      ...['--debug-stdout', `--configfile=${configFile}`],
    ],
    cwd: dataDir,
    logFile: options.logFile,
    pidFile: `${dataDir}.pid`,
    marker: configFile,
    stopSignals,
    isReady: () => isServing(url, certificate.pem, administrator),
    readyWithinMs: 60_000,
  });
  const reader = { dn: `CN=recoup-reader,${usersDn}`, password: `Aa1-${randomBytes(16).toString('hex')}` };
  try {
    const client = new Client({ url, timeout: 20_000, tlsOptions: { ca: certificate.pem } });
    await client.bind(administrator.dn, administrator.password);
    await addUser(client, reader.dn, 'recoup-reader', reader.password, {});
    await addPeople(client, options.people);
    await client.unbind();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    url,
    plainUrl: `ldap://${address}`,
    ca: certificate.pem,
    baseDn,
    bindDn: reader.dn,
    bindPassword: reader.password,
    admin: administrator,
    stop: () => server.stop(),
  };
}

/** Any address of 127.0.0.0/8 is the machine's own; the first ones may be in use. */
async function freeAddress(): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const address = `127.${randomInt(16, 255)}.${randomInt(256)}.${randomInt(1, 255)}`;
    const free = await Promise.all(ports.map((port) => isFree(port, address)));
    if (free.every(Boolean)) return address;
  }
  throw new Error('Active Directory: found no loopback address whose port 389 is free');
}

async function isServing(url: string, ca: string, account: Directory['admin']): Promise<boolean> {
  const client = new Client({ url, connectTimeout: 2000, timeout: 5000, tlsOptions: { ca } });
  try {
    await client.bind(account.dn, account.password);
    return true;
  } catch {
    return false;
  } finally {
    await client.unbind().catch(() => {});
  }
}

async function addPeople(client: Client, people: DirectoryOptions['people']): Promise<void> {
  const dnOf = (name: string) => `${new DN().addPairRDN('CN', name)},${usersDn}`;
  for (const person of people) {
    const dn = dnOf(fullName(person));
    const attributes = {
      displayName: fullName(person),
      givenName: person.givenName,
      sn: person.familyName,
      mail: person.email,
    };
    await addUser(client, dn, person.username, person.password, attributes, person.disabled);
  }
  for (const name of new Set(people.flatMap((person) => person.groups))) {
    const members = people.filter((person) => person.groups.includes(name));
    await client.add(dnOf(name), {
      objectClass: 'group',
      sAMAccountName: name,
      member: members.map((person) => dnOf(fullName(person))),
    });
  }
}

async function addUser(
  client: Client,
  dn: string,
  username: string,
  password: string,
  attributes: Record<string, string>,
  disabled = false,
): Promise<void> {
  await client.add(dn, {
    objectClass: 'user',
    sAMAccountName: username,
    userPrincipalName: `${username}@${realm.toLowerCase()}`,
    userAccountControl: String(normalAccount | (disabled ? accountDisabled : 0)),
    // [MS-ADTS] 3.1.1.3.1.5.1: quoted, in UTF-16. As text it is still this, as all its characters are below 128.
    unicodePwd: Buffer.from(`"${password}"`, 'utf16le').toString('latin1'),
    ...attributes,
  });
}
