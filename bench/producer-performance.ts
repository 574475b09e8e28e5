// The rival: Kafka's own ProducerPerformance, the broker's test of itself. Its jars come from Maven Central once.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { step } from '../dev/progress.ts';
import { createOnce } from '../dev/servers/folder.ts';
import { requirePrograms, runText } from '../dev/servers/program.ts';

const pom = join(import.meta.dirname, 'kafka-tools-pom.xml');

/** The folder of its jars. */
export async function fetchProducerPerformance(): Promise<string> {
  const version = /<version>(\d+\.\d+\.\d+)<\/version>/.exec(readFileSync(pom, 'utf8'))?.[1];
  const lib = join(import.meta.dirname, '../.recoup/kafka', `tools-${version}`);
  if (existsSync(lib)) return lib;
  const [, mvn = 'mvn'] = await requirePrograms('The benchmark', [
    { name: 'java', debianPackage: 'default-jdk-headless', macos: 'brew install --cask temurin' },
    { name: 'mvn', debianPackage: 'maven', macos: 'brew install maven' },
  ]);
  await step(`Kafka's tools: fetching ${version} from Maven Central (41 MB, once)`, () =>
    createOnce(lib, async (folder) => {
      await runText(mvn, [
        '-q',
        '-B',
        '-f',
        pom,
        'dependency:copy-dependencies',
        `-DoutputDirectory=${folder}`,
      ]);
    }),
  );
  return lib;
}

export interface ProducerResult {
  perSecond: number;
  /** From handing a message to the producer to its confirmation. */
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
}

export interface ProducerOptions {
  brokers: string;
  topic: string;
  /** A payload a line; each message is one of them at random. */
  payloadFile: string;
  count: number;
  /** As fast as it can when it is missing. */
  perSecond?: number;
}

export async function producerPerformance(
  lib: string,
  { brokers, topic, payloadFile, count, perSecond = -1 }: ProducerOptions,
): Promise<ProducerResult> {
  const said = await runText('java', [
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
    '-cp',
    join(lib, '*'),
    'org.apache.kafka.tools.ProducerPerformance',
    '--topic',
    topic,
    '--num-records',
    String(count),
    '--throughput',
    String(perSecond),
    '--payload-file',
    payloadFile,
    '--producer-props',
    `bootstrap.servers=${brokers}`,
    'acks=all',
  ]);
  // "100000 records sent, 50505.1 records/sec (22.85 MB/sec), 300.1 ms avg latency, 500.0 ms max latency,
  // 310 ms 50th, 420 ms 95th, 450 ms 99th, 460 ms 99.9th."
  const total = said.trimEnd().split('\n').at(-1) ?? '';
  const number = (pattern: RegExp) => {
    const found = Number(pattern.exec(total)?.[1]);
    if (!Number.isFinite(found))
      throw new Error(`ProducerPerformance said nothing about ${pattern}:\n${said}`);
    return found;
  };
  return {
    perSecond: number(/([\d.]+) records\/sec/),
    p50Ms: number(/([\d.]+) ms 50th/),
    p95Ms: number(/([\d.]+) ms 95th/),
    p99Ms: number(/([\d.]+) ms 99th/),
  };
}
