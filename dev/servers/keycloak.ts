// A Keycloak of our own without Docker: loopback only, without TLS, everything in memory, with one realm that has the
// people it is given and a confidential client that must use PKCE. It comes from Maven Central once and is built once
// for its quick start, into .recoup/keycloak.

import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { step } from '../progress.ts';
import { createOnce } from './folder.ts';
import { java, maven, requireJava17 } from './java.ts';
import type { Person } from './people.ts';
import { choosePort } from './port.ts';
import { launch, type StopSignals, stopOrphan } from './process.ts';
import { MissingProgram, requirePrograms, runText } from './program.ts';

export interface KeycloakOptions {
  /** Emptied first. */
  dataDir: string;
  logFile: string;
  /** A free one when it is missing or 0. */
  port?: number;
  /** As Keycloak reads them: one for http://127.0.0.1/ without a port is good for any, and a * may end it. */
  redirectUris: readonly string[];
  people: readonly Person[];
}

export interface Keycloak {
  /** Its ID tokens have the claim `groups`, a list of the groups' names. */
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Of the realm `master`, for the admin API: what tests change of people and keys while it runs. */
  admin: { username: string; password: string };
  stop(): Promise<void>;
}

const realm = 'recoup';
const clientId = 'recoup';
const pom = join(import.meta.dirname, 'keycloak-pom.xml');
const buildOptions = ['--db=dev-mem'];
/** As kc.sh passes them, which runs a Java that starts another. */
const always = [
  '-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory',
  '-Djava.util.logging.manager=org.jboss.logmanager.LogManager',
  '-Dpicocli.disable.closures=true',
  '-Dfile.encoding=UTF-8',
  ...['util', 'util.concurrent', 'security'].map((name) => `--add-opens=java.base/java.${name}=ALL-UNNAMED`),
];
/** Compiling less starts in two thirds of the time; with this heap it takes 380 MB. */
const quickStart = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
const stopSignals: StopSignals = [
  ['SIGTERM', 10_000],
  ['SIGKILL', 5_000],
];

/** Throws MissingProgram when there is no Java 17, Maven or Keycloak and we cannot get them. */
export async function startKeycloak(options: KeycloakOptions): Promise<Keycloak> {
  const command = await requireJava17('Keycloak');
  const distribution = await builtDistribution(command);
  const dataDir = resolve(options.dataDir);
  const pidFile = `${dataDir}.pid`;
  await stopOrphan('Keycloak', pidFile, dataDir, stopSignals);
  rmSync(dataDir, { recursive: true, force: true });
  const port = await choosePort('Keycloak', options.port);
  const address = `http://127.0.0.1:${port}`;
  const clientSecret = randomBytes(24).toString('hex');
  const admin = { username: 'admin', password: randomBytes(24).toString('hex') };

  const imported = join(dataDir, 'data', 'import');
  mkdirSync(imported, { recursive: true, mode: 0o700 });
  for (const part of ['lib', 'providers']) symlinkSync(join(distribution, part), join(dataDir, part));
  // A realm that brings its keys is there sooner: Node makes them in no time, a Java that compiles less in seconds.
  const realms = [
    { realm: 'master', enabled: true, components: components(), users: [administrator(admin)] },
    recoupRealm(options, clientSecret),
  ];
  for (const each of realms) {
    writeFileSync(join(imported, `${each.realm}-realm.json`), JSON.stringify(each), { mode: 0o600 });
  }

  const issuer = `${address}/realms/${realm}`;
  const server = await launch({
    name: 'Keycloak',
    command,
    args: [
      ...quickStart,
      ...entry(distribution, dataDir),
      ...['start', '--optimized', '--import-realm', '--cache=local'],
      ...['--http-enabled=true', '--http-host=127.0.0.1', `--http-port=${port}`, `--hostname=${address}`],
    ],
    cwd: dataDir,
    env: ownEnvironment(),
    logFile: options.logFile,
    pidFile,
    marker: dataDir,
    stopSignals,
    isReady: () => isServing(issuer),
    readyWithinMs: 180_000,
  });
  return { issuer, clientId, clientSecret, admin, stop: () => server.stop() };
}

/** https://www.keycloak.org/docs-api/26.4.5/rest-api/#RealmRepresentation */
function recoupRealm({ redirectUris, people }: KeycloakOptions, secret: string) {
  const groups = [...new Set(people.flatMap((person) => person.groups))];
  return {
    realm,
    enabled: true,
    components: components(),
    groups: groups.map((name) => ({ name })),
    users: people.map((person) => ({
      username: person.username,
      enabled: !person.disabled,
      email: person.email,
      emailVerified: true,
      firstName: person.givenName,
      lastName: person.familyName,
      credentials: [{ type: 'password', value: person.password, temporary: false }],
      groups: person.groups.map((name) => `/${name}`),
    })),
    clients: [
      {
        clientId,
        secret,
        publicClient: false,
        standardFlowEnabled: true,
        implicitFlowEnabled: false,
        directAccessGrantsEnabled: false,
        redirectUris,
        attributes: { 'pkce.code.challenge.method': 'S256', 'post.logout.redirect.uris': '+' },
        protocolMappers: [
          {
            name: 'groups',
            protocol: 'openid-connect',
            protocolMapper: 'oidc-group-membership-mapper',
            config: {
              'claim.name': 'groups',
              'full.path': 'false',
              'id.token.claim': 'true',
              'access.token.claim': 'true',
              'userinfo.token.claim': 'true',
            },
          },
        ],
      },
    ],
  };
}

function administrator({ username, password }: Keycloak['admin']) {
  const credentials = [{ type: 'password', value: password, temporary: false }];
  return { username, enabled: true, credentials, realmRoles: ['admin'] };
}

/** What a realm would make for itself if it did not bring it. */
const components = () => ({ ...keys(), ...anyName() });

function keys() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  return {
    'org.keycloak.keys.KeyProvider': [
      { name: 'rsa', providerId: 'rsa', config: { algorithm: ['RS256'], privateKey: [pem] } },
      { name: 'hmac', providerId: 'hmac-generated', config: { algorithm: ['HS512'] } },
      { name: 'aes', providerId: 'aes-generated', config: {} },
    ],
  };
}

/** By itself Keycloak wants everybody to have an address, and a name without brackets and the like. */
function anyName() {
  const permissions = { view: ['admin', 'user'], edit: ['admin', 'user'] };
  const names = ['username', 'email', 'firstName', 'lastName'];
  const profile = JSON.stringify({ attributes: names.map((name) => ({ name, permissions })) });
  return {
    'org.keycloak.userprofile.UserProfileProvider': [
      { providerId: 'declarative-user-profile', config: { 'kc.user.profile.config': [profile] } },
    ],
  };
}

async function isServing(issuer: string): Promise<boolean> {
  try {
    const url = `${issuer}/.well-known/openid-configuration`;
    return (await fetch(url, { signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
}

/** `home` holds what a server reads and writes: its import, its data. */
function entry(distribution: string, home: string): string[] {
  const classPath = join(distribution, 'lib', 'quarkus-run.jar');
  const main = 'io.quarkus.bootstrap.runner.QuarkusEntryPoint';
  return [...always, `-Dkc.home.dir=${home}`, '-cp', classPath, main];
}

/** Without the settings of a Keycloak of somebody else's. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('KC_')));
}

/** The distribution's folder, built with our options. */
async function builtDistribution(command: string): Promise<string> {
  const version = /keycloak-quarkus-dist<\/artifactId>\s*<version>(.+)<\/version>/.exec(
    readFileSync(pom, 'utf8'),
  )![1]!;
  const built = createHash('sha256').update(buildOptions.join(' ')).digest('hex').slice(0, 8);
  const folder = join(import.meta.dirname, '../../.recoup/keycloak', `${version}-${built}`);
  if (existsSync(folder)) return folder;
  const [, mvn] = await requirePrograms('Keycloak', [java, maven]);
  await createOnce(folder, async (unfinished) => {
    const unpacked = `${unfinished}.unpacked`;
    try {
      await step(`Keycloak: fetching ${version} from Maven Central (150 MB, once)`, async () => {
        const unpack = ['dependency:unpack-dependencies', `-DoutputDirectory=${unpacked}`];
        const markers = `-DmarkersDirectory=${join(unpacked, 'markers')}`;
        await runText(mvn!, ['-q', '-B', '-f', pom, ...unpack, markers]).catch((cause) => {
          throw new MissingProgram(`Keycloak could not be fetched: ${cause.message}`, { cause });
        });
      });
      renameSync(join(unpacked, `keycloak-${version}`), unfinished);
    } finally {
      rmSync(unpacked, { recursive: true, force: true });
    }
    await step('Keycloak: building it for its quick start (once)', () =>
      runText(command, [...quickStart, ...entry(unfinished, unfinished), 'build', ...buildOptions], {
        env: ownEnvironment(),
      }),
    );
  });
  return folder;
}
