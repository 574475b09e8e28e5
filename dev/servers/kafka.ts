// A Kafka of our own without Docker: one node, broker and controller in one, loopback only. Its jars come from Maven
// Central once, into .recoup/kafka. Topics are never created by being asked for: the publisher creates what it needs.
// Like any Kafka it does not sync each message to the disk: a power cut may lose the last ones.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { step } from '../progress.ts';
import { createOnce } from './folder.ts';
import { java, maven, requireJava17 } from './java.ts';
import { choosePort, freePort, isOpen } from './port.ts';
import { launch, type StopSignals, stopOrphan } from './process.ts';
import { MissingProgram, requirePrograms, runText } from './program.ts';

export interface KafkaOptions {
  dataDir: string;
  logFile: string;
  /** A free one when it is missing or 0. */
  port?: number;
  /** Begins without what an earlier run has kept. */
  reset?: boolean;
  /** Clients sign in with PLAIN. */
  sasl?: { username: string; password: string };
  /** Clients meet a certificate for 127.0.0.1 that signs itself, made on every start. */
  tls?: boolean;
}

export interface Kafka {
  /** host:port, as clients take it. */
  brokers: string;
  /** With `tls`: what clients are to trust, as PEM. */
  certificate: string | undefined;
  stop(): Promise<void>;
}

const pom = join(import.meta.dirname, 'kafka-pom.xml');
/** Compiling less and collecting simply starts in half the time, and sends no less on two cores. */
const quickStart = ['-Xmx512m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
const stopSignals: StopSignals = [
  ['SIGTERM', 20_000],
  ['SIGKILL', 5_000],
];

/** Throws MissingProgram when there is no Java 17, Maven or Kafka and we cannot get them. */
export async function startKafka(options: KafkaOptions): Promise<Kafka> {
  const lib = await libraries();
  const command = await requireJava17('Kafka');
  const dataDir = resolve(options.dataDir);
  const configFile = join(dataDir, 'server.properties');
  const pidFile = `${dataDir}.pid`;
  await stopOrphan('Kafka', pidFile, configFile, stopSignals);
  if (options.reset) rmSync(dataDir, { recursive: true, force: true });
  mkdirSync(dataDir, { recursive: true });
  const port = await choosePort('Kafka', options.port);
  const keystore = options.tls ? await selfSigned(dataDir) : undefined;
  writeFileSync(configFile, await configuration(options, port, dataDir, keystore), { mode: 0o600 });
  const classPath = join(lib, '*');
  if (!existsSync(join(dataDir, 'data', 'meta.properties'))) {
    // The cluster's id is 22 characters of base64, and must not look like an option.
    const clusterId = `A${randomBytes(16).toString('base64url').slice(1)}`;
    const format = ['format', '-t', clusterId, '-c', configFile];
    await step('Kafka: preparing its storage', () =>
      runText(command, ['-XX:TieredStopAtLevel=1', '-cp', classPath, 'kafka.tools.StorageTool', ...format]),
    );
  }
  const logging = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
  const server = await launch({
    name: 'Kafka',
    command,
    args: [...quickStart, logging, '-cp', classPath, 'kafka.Kafka', configFile],
    cwd: dataDir,
    logFile: options.logFile,
    pidFile,
    marker: configFile,
    stopSignals,
    // It opens its port last, when it serves.
    isReady: () => isOpen(port),
    readyWithinMs: 120_000,
  });
  return { brokers: `127.0.0.1:${port}`, certificate: keystore?.certificate, stop: () => server.stop() };
}

/** Clients have the listener that is asked for; the broker speaks to itself on ports of its own. */
async function configuration(
  options: KafkaOptions,
  port: number,
  dataDir: string,
  keystore: Keystore | undefined,
): Promise<string> {
  const brokerPort = await freePort();
  const controllerPort = await freePort();
  const { sasl, tls } = options;
  const protocol = sasl ? (tls ? 'SASL_SSL' : 'SASL_PLAINTEXT') : tls ? 'SSL' : 'PLAINTEXT';
  const reachable = `CLIENT://127.0.0.1:${port},BROKER://127.0.0.1:${brokerPort}`;
  const settings: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'BROKER',
    listeners: `${reachable},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': reachable,
    'listener.security.protocol.map': `CLIENT:${protocol},BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    'log.dirs': join(dataDir, 'data'),
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
  };
  if (sasl) {
    const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
    const password = sasl.password.replace(/["\\]/g, '\\$&');
    settings['listener.name.client.sasl.enabled.mechanisms'] = 'PLAIN';
    settings['listener.name.client.plain.sasl.jaas.config'] = `${login} user_${sasl.username}="${password}";`;
  }
  if (keystore) {
    settings['listener.name.client.ssl.keystore.type'] = 'PKCS12';
    settings['listener.name.client.ssl.keystore.location'] = keystore.file;
    settings['listener.name.client.ssl.keystore.password'] = keystore.password;
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${escaped(value)}\n`)
    .join('');
}

/** As Java reads a properties file: Latin-1 with escapes. */
function escaped(value: string): string {
  const unit = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return value.replace(/[^\x20-\x7e]|\\/g, unit);
}

interface Keystore {
  file: string;
  password: string;
  certificate: string;
}

/** By the JDK's own tool. */
async function selfSigned(dataDir: string): Promise<Keystore> {
  const file = join(dataDir, 'keystore.p12');
  const password = randomBytes(16).toString('hex');
  rmSync(file, { force: true });
  const keytool = (...args: string[]) =>
    runText('keytool', [
      '-J-XX:TieredStopAtLevel=1',
      ...args,
      '-alias',
      'kafka',
      '-keystore',
      file,
      '-storepass',
      password,
    ]);
  const name = ['-dname', 'CN=127.0.0.1', '-ext', 'SAN=IP:127.0.0.1,DNS:localhost', '-ext', 'BC=ca:true'];
  await keytool('-genkeypair', '-keyalg', 'EC', '-storetype', 'PKCS12', ...name, '-validity', '30');
  return { file, password, certificate: await keytool('-exportcert', '-rfc') };
}

/** The folder of Kafka's jars. */
async function libraries(): Promise<string> {
  const version = /kafka_2\.13<\/artifactId>\s*<version>(.+)<\/version>/.exec(readFileSync(pom, 'utf8'))![1]!;
  const lib = join(import.meta.dirname, '../../.recoup/kafka', `lib-${version}`);
  if (existsSync(lib)) return lib;
  const [, mvn] = await requirePrograms('Kafka', [java, maven]);
  await step(`Kafka: fetching ${version} from Maven Central (43 MB, once)`, () =>
    createOnce(lib, async (folder) => {
      const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${folder}`];
      await runText(mvn!, ['-q', '-B', '-f', pom, ...copy]).catch((cause) => {
        throw new MissingProgram(`Kafka could not be fetched: ${cause.message}`, { cause });
      });
    }),
  );
  return lib;
}
