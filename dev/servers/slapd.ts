// An OpenLDAP of our own: Debian's slapd with a configuration that we write, on loopback ports, as an unprivileged user
// where we are root. It speaks LDAPS and StartTLS, takes no password in the clear, lets nobody read without signing in,
// keeps memberOf itself, and has the people it is given.

import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Client, DN } from 'ldapts';
import { selfSignedCertificate } from './certificate.ts';
import type { Directory, DirectoryOptions } from './directory.ts';
import { fullName } from './people.ts';
import { freePort, isOpen } from './port.ts';
import { launch, type StopSignals, stopOrphan } from './process.ts';
import { MissingProgram, requirePrograms, runText } from './program.ts';
import { canEnter, unprivilegedUser } from './unprivileged.ts';

const program = { name: 'slapd', debianPackage: 'slapd', services: ['slapd'] };
/** Where Debian has them. */
const schemas = '/etc/ldap/schema';
const modules = '/usr/lib/ldap';

const baseDn = 'dc=recoup,dc=test';
const peopleDn = `ou=people,${baseDn}`;
const groupsDn = `ou=groups,${baseDn}`;
const adminDn = `cn=admin,${baseDn}`;
const readerDn = `cn=reader,${baseDn}`;
const policyDn = `cn=policy,${baseDn}`;

const stopSignals: StopSignals = [
  ['SIGTERM', 10_000],
  ['SIGKILL', 5_000],
];

/** Throws MissingProgram when there is no slapd and we cannot install it. */
export async function startSlapd(options: DirectoryOptions): Promise<Directory> {
  const [command] = await requirePrograms('OpenLDAP', [program]);
  if (!existsSync(schemas)) throw new MissingProgram(`OpenLDAP needs Debian's slapd, with ${schemas}`);
  const dataDir = resolve(options.dataDir);
  const pidFile = `${dataDir}.pid`;
  await stopOrphan('OpenLDAP', pidFile, dataDir, stopSignals);
  const user = await unprivilegedUser('OpenLDAP');
  rmSync(dataDir, { recursive: true, force: true });
  mkdirSync(join(dataDir, 'database'), { recursive: true });
  chmodSync(dataDir, 0o700);
  // AppArmor, where it is on, would keep Debian's own file away from our folders.
  const slapd = join(dataDir, 'slapd');
  copyFileSync(command!, slapd);
  chmodSync(slapd, 0o755);
  const certificate = await selfSignedCertificate('OpenLDAP', dataDir, '127.0.0.1', user);
  const adminPassword = randomBytes(16).toString('hex');
  const readerPassword = randomBytes(16).toString('hex');
  const configFile = join(dataDir, 'slapd.conf');
  const config = [
    ...['core', 'cosine', 'inetorgperson'].map((name) => `include ${schemas}/${name}.schema`),
    `modulepath ${modules}`,
    ...['back_mdb', 'memberof', 'ppolicy'].map((name) => `moduleload ${name}`),
    `TLSCertificateFile "${certificate.certificateFile}"`,
    `TLSCertificateKeyFile "${certificate.keyFile}"`,
    `TLSCACertificateFile "${certificate.certificateFile}"`,
    'security simple_bind=128',
    'disallow bind_anon',
    'require authc',
    'database mdb',
    `suffix "${baseDn}"`,
    `directory "${join(dataDir, 'database')}"`,
    'dbnosync',
    `rootdn "${adminDn}"`,
    `rootpw "${adminPassword}"`,
    'index objectClass,uid,member,memberOf,entryUUID eq',
    'overlay memberof',
    'overlay ppolicy',
    `ppolicy_default "${policyDn}"`,
    'access to attrs=userPassword by anonymous auth by * none',
    `access to * by dn.exact="${readerDn}" read by * none`,
  ];
  writeFileSync(configFile, `${config.join('\n')}\n`, { mode: 0o600 });
  if (user) {
    for (const path of [dataDir, join(dataDir, 'database'), configFile]) chownSync(path, user.uid, user.gid);
    if (!canEnter(user, dataDir)) {
      throw new Error(
        `OpenLDAP: the user it runs as cannot reach ${dataDir}; choose a folder that all may enter`,
      );
    }
  }
  await runText(slapd, ['-T', 'test', '-u', '-f', configFile], user);

  const port = await freePort();
  const plainPort = await freePort();
  const server = await launch({
    name: 'OpenLDAP',
    command: slapd,
    args: ['-h', `ldaps://127.0.0.1:${port}/ ldap://127.0.0.1:${plainPort}/`, '-f', configFile, '-d', 'none'],
    cwd: dataDir,
    user,
    logFile: options.logFile,
    pidFile,
    marker: configFile,
    stopSignals,
    isReady: () => isOpen(port),
    readyWithinMs: 30_000,
  });
  const directory: Directory = {
    url: `ldaps://127.0.0.1:${port}`,
    plainUrl: `ldap://127.0.0.1:${plainPort}`,
    ca: certificate.pem,
    baseDn,
    bindDn: readerDn,
    bindPassword: readerPassword,
    admin: { dn: adminDn, password: adminPassword },
    stop: () => server.stop(),
  };
  try {
    await fill(directory, options.people);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return directory;
}

async function fill(directory: Directory, people: DirectoryOptions['people']): Promise<void> {
  const client = new Client({ url: directory.url, timeout: 20_000, tlsOptions: { ca: directory.ca } });
  await client.bind(directory.admin.dn, directory.admin.password);
  await client.add(baseDn, { objectClass: ['dcObject', 'organization'], dc: 'recoup', o: 'Recoup' });
  for (const name of ['people', 'groups']) {
    await client.add(`ou=${name},${baseDn}`, { objectClass: 'organizationalUnit', ou: name });
  }
  await client.add(readerDn, {
    objectClass: ['organizationalRole', 'simpleSecurityObject'],
    cn: 'reader',
    userPassword: directory.bindPassword,
  });
  // Without a policy that says so, no account can be locked: slapo-ppolicy(5).
  await client.add(policyDn, {
    objectClass: ['organizationalRole', 'pwdPolicy'],
    cn: 'policy',
    pwdAttribute: 'userPassword',
    pwdLockout: 'TRUE',
  });
  const dnOf = (username: string) => `${new DN().addPairRDN('uid', username)},${peopleDn}`;
  for (const person of people) {
    await client.add(dnOf(person.username), {
      objectClass: 'inetOrgPerson',
      uid: person.username,
      cn: fullName(person),
      displayName: fullName(person),
      givenName: person.givenName,
      sn: person.familyName,
      mail: person.email,
      userPassword: person.password,
      // For ever.
      ...(person.disabled ? { pwdAccountLockedTime: '000001010000Z' } : {}),
    });
  }
  for (const name of new Set(people.flatMap((person) => person.groups))) {
    const members = people.filter((person) => person.groups.includes(name));
    await client.add(`${new DN().addPairRDN('cn', name)},${groupsDn}`, {
      objectClass: 'groupOfNames',
      cn: name,
      member: members.map((person) => dnOf(person.username)),
    });
  }
  await client.unbind();
}
