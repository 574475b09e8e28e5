// The alert rules, the dashboard and the Kubernetes manifest speak of what exists: metrics that /metrics has, with labels
// that they have, numbers that heartbeats tell, settings that processes read.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { gatewayMetrics } from '../../containers/ledger-gateway/metrics.ts';
import { roles } from '../../drizzle/migrate.ts';
import { about as frontDoor, heartbeatMetrics } from '../../workers/api/metrics.ts';
import { files, namesIn, read, root } from './repository.ts';

const about = { ...frontDoor, ...gatewayMetrics };

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string };
}
interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig: { defaults: { unit: string } };
  datasource: { uid: string };
  targets: { refId: string; expr: string; datasource: { uid: string } }[];
}
const rules: Rule[] = parse(read('ops/alerts.yml')).groups.flatMap(({ rules }: { rules: Rule[] }) => rules);
const dashboard = JSON.parse(read('ops/dashboard.json'));
const panels: Panel[] = dashboard.panels.filter(({ type }: Panel) => type !== 'row');
const expressions: [where: string, expr: string][] = [
  ...rules.map(({ alert, expr }): [string, string] => [alert, expr]),
  ...panels.flatMap(({ title, targets }) => targets.map(({ expr }): [string, string] => [title, expr])),
];

/** Processes of this repository: folders of containers/ with a main.ts. */
const processes = files('containers/*/main.ts').map((path) => path.split('/')[1] as string);
const sourcesOf = (process: string) =>
  files(`containers/${process}/*.ts`)
    .filter((path) => !/\.(int\.)?test\.ts$|testing\.ts$/.test(path))
    .map(read)
    .join('\n');

const familyOf = (metric: string) =>
  Object.hasOwn(about, metric) ? metric : metric.replace(/_(bucket|count|sum)$/, '');

describe.each(expressions)('%s', (_, expr) => {
  test('names metrics that there are', () => {
    const named = namesIn(expr, /\b(recoup_[a-z_]+)/g);
    // The scrape itself is watched by Prometheus' own metric.
    if (!expr.includes('up{job="recoup"}')) expect(named.length).toBeGreaterThan(0);
    for (const metric of named) {
      expect(Object.keys(about)).toContain(familyOf(metric));
      const { type } = about[familyOf(metric) as keyof typeof about];
      expect(familyOf(metric) === metric, metric).toBe(type !== 'histogram');
      const told = /^recoup_container_detail\{.*name="[a-z_]+_total"/.test(expr.slice(expr.indexOf(metric)));
      if (type === 'counter' || told) expect(expr, metric).toMatch(/(rate|increase)\(/);
    }
  });

  test('selects and adds up by labels that they have', () => {
    const allowed = namesIn(expr, /\b(recoup_[a-z_]+)/g).flatMap((metric): string[] => [
      ...about[familyOf(metric) as keyof typeof about].labels,
      'le',
    ]);
    const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '));
    for (const label of grouped) expect(allowed).toContain(label);
    for (const [, metric = '', selector = ''] of expr.matchAll(/\b(recoup_[a-z_]+)\{([^}]*)\}/g)) {
      const labels: readonly string[] = about[familyOf(metric) as keyof typeof about].labels;
      for (const label of namesIn(selector, /([a-z_]+)(?:=~?|!=|!~)"/g)) expect(labels).toContain(label);
    }
  });

  test('asks a heartbeat for what its process tells', () => {
    for (const [, selector = ''] of expr.matchAll(/recoup_container_detail\{([^}]*)\}/g)) {
      const [, process = ''] = /process="([a-z]+)"/.exec(selector) ?? [];
      const [, name = ''] = /\bname="([a-z_]+)"/.exec(selector) ?? [];
      expect(['publisher', 'drain', 'ingest', 'edge', 'projector', 'posting']).toContain(process);
      if (processes.includes(process)) expect(sourcesOf(process)).toMatch(new RegExp(`\\b${name}\\b`));
    }
  });
});

test('what has a metric of its own is told by some heartbeat, and shown or watched', () => {
  const containers = [...processes.map(sourcesOf), read('containers/database.ts')].join('\n');
  for (const name of heartbeatMetrics) {
    expect(containers).toMatch(new RegExp(`\\b${name}\\b`));
    expect(
      expressions.some(([, expr]) => expr.includes(`recoup_${name}`)),
      name,
    ).toBe(true);
  }
});

test('every metric is shown or watched', () => {
  const used = expressions.flatMap(([, expr]) => namesIn(expr, /\b(recoup_[a-z_]+)/g).map(familyOf));
  expect([...new Set(used)].toSorted()).toEqual(Object.keys(about).toSorted());
});

describe('the alerts', () => {
  test('are named, graded, and explained in docs/operate.md, and nothing else is', () => {
    const names = rules.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
    for (const { alert, labels, annotations } of rules) {
      expect(alert).toMatch(/^Recoup[A-Z]/);
      expect(['critical', 'warning']).toContain(labels.severity);
      expect(annotations.summary).not.toBe('');
    }
    expect(namesIn(read('docs/operate.md'), /^\| `(Recoup[A-Za-z]+)`/gm)).toEqual(names.toSorted());
  });

  test('have unit tests each in which they fire, and in which they do not', () => {
    const tests: { alert_rule_test: { alertname: string; exp_alerts?: object[] }[] }[] = parse(
      read('ops/alerts.test.yml'),
    ).tests;
    const evaluations = tests.flatMap(({ alert_rule_test }) => alert_rule_test);
    for (const { alert } of rules) {
      const fired = evaluations
        .filter(({ alertname }) => alertname === alert)
        .map(({ exp_alerts = [] }) => exp_alerts.length > 0);
      expect([...new Set(fired)].toSorted(), alert).toEqual([false, true]);
    }
    for (const { alertname } of evaluations) expect(rules.map(({ alert }) => alert)).toContain(alertname);
  });

  test('are tested with series that /metrics could have', () => {
    const tests: { input_series: { series: string }[] }[] = parse(read('ops/alerts.test.yml')).tests;
    for (const { series } of tests.flatMap(({ input_series }) => input_series)) {
      const [metric = '', selector = ''] = series.split('{');
      if (metric === 'up') continue;
      const { labels, type } = about[familyOf(metric) as keyof typeof about];
      const expected = [...labels, ...(type === 'histogram' ? ['le'] : [])];
      expect(namesIn(selector, /([a-z_]+)="/g), series).toEqual(expected.toSorted());
    }
  });
});

describe('the dashboard', () => {
  test('asks the data source that its reader has chosen', () => {
    expect(dashboard.templating.list).toMatchObject([
      { name: 'datasource', type: 'datasource', query: 'prometheus' },
    ]);
    for (const { datasource, targets } of panels) {
      for (const { uid } of [datasource, ...targets.map((target) => target.datasource)]) {
        // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's.
        expect(uid).toBe('${datasource}');
      }
    }
  });

  test('has panels with a title of their own, a unit, and at least one thing to show', () => {
    for (const list of [panels.map(({ title }) => title), dashboard.panels.map(({ id }: Panel) => id)]) {
      expect(list).toEqual([...new Set(list)]);
    }
    for (const { title, fieldConfig, targets } of panels) {
      expect(fieldConfig.defaults.unit, title).toMatch(/^[a-z]+$/);
      expect(targets.length, title).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
    }
  });

  test('has panels that lie beside each other and within its width', () => {
    const all: Panel[] = dashboard.panels;
    for (const [i, { title, gridPos: a }] of all.entries()) {
      expect(a.x + a.w, title).toBeLessThanOrEqual(24);
      for (const { title: other, gridPos: b } of all.slice(i + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        expect(apart, `${title} and ${other}`).toBe(true);
      }
    }
  });
});

test('Prometheus is told to scrape the front door and the gateway with a key each, and to leave labels as they are', () => {
  const { rule_files, scrape_configs } = parse(read('ops/prometheus.yml'));
  for (const file of rule_files) expect(existsSync(join(root, 'ops', file))).toBe(true);
  expect(scrape_configs).toMatchObject([
    {
      job_name: 'recoup',
      metrics_path: '/metrics',
      honor_labels: true,
      authorization: { type: 'Bearer', credentials_file: expect.any(String) },
    },
    {
      job_name: 'recoup-ledger-gateway',
      metrics_path: '/metrics',
      authorization: { type: 'Bearer', credentials_file: expect.any(String) },
    },
  ]);
});

interface Container {
  name: string;
  command: string[];
  env: { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string; key: string } } }[];
  ports?: { name: string; containerPort: number }[];
  resources: { requests: Record<string, string>; limits: Record<string, string> };
  [probe: `${string}Probe`]: {
    httpGet: { path: string; port: string };
    periodSeconds: number;
    failureThreshold: number;
  };
}
interface Workload {
  kind: string;
  metadata: { name: string };
  spec: { template: { spec: { containers: Container[]; terminationGracePeriodSeconds: number } } };
}

describe('the Kubernetes manifest', () => {
  const documents = parseAllDocuments(read('ops/kubernetes.yaml'));
  const objects = documents.map((document) => document.toJS() as Workload);
  const containersOf = (kind: string) =>
    objects.filter((object) => object.kind === kind).flatMap(({ spec }) => spec.template.spec.containers);
  const deployed = containersOf('Deployment');
  /** Those of them that this repository has. */
  const ours = deployed.filter(({ name }) => processes.includes(name));

  test('parses, and every object has a name of its own', () => {
    expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  test('runs every process there is, by its own command', () => {
    expect(deployed.map(({ name }) => name)).toEqual(expect.arrayContaining(processes));
    for (const { name, command } of deployed) expect(command).toEqual(['node', `containers/${name}/main.ts`]);
    const [migrate] = containersOf('Job');
    expect(existsSync(join(root, migrate?.command.at(-1) ?? ''))).toBe(true);
  });

  test('gives no process a setting that it does not read', () => {
    const edge = [...files('workers/*/env.ts'), ...files('workers/*settings.ts')].map(read).join('\n');
    for (const { name: process, env } of ours) {
      const sources = [
        sourcesOf(process),
        read('containers/settings.ts'),
        sourcesOf(process).includes('...kafkaVariables') ? read('containers/kafka-settings.ts') : '',
        sourcesOf(process).includes('...ledgerVariables') ? read('containers/ledger-settings.ts') : '',
        process === 'edge' ? edge : '',
      ].join('\n');
      const isRead = (name: string) =>
        new RegExp(`\\b${name}\\b`).test(sources) ||
        (process === 'edge' && /^CHANNEL_[A-Z_]+_SECRET$/.test(name));
      for (const { name } of env) expect(isRead(name), `${process}: ${name}`).toBe(true);
    }
  });

  test('lets every role log in', () => {
    const names = containersOf('Job')[0]?.env.map(({ name }) => name) ?? [];
    for (const role of roles) expect(names).toContain(`${role.toUpperCase()}_PASSWORD`);
  });

  test('has no secret in it, and asks for none that the guide does not make', () => {
    const guide = read('docs/run-on-kubernetes.md');
    for (const { env } of [...deployed, ...containersOf('Job')]) {
      for (const { name, value, valueFrom } of env) {
        if (/PASSWORD|TOKEN|SECRET|MASTER_KEYS|DATABASE_URL|REDIS/.test(name))
          expect(value, name).toBeUndefined();
        if (valueFrom) expect(guide, name).toMatch(new RegExp(`\\b${valueFrom.secretKeyRef.key}\\b`));
      }
    }
  });

  test('gives each process the resources that are planned for it', () => {
    for (const { resources } of deployed) {
      expect(resources).toEqual({
        requests: { memory: '512Mi', cpu: '500m' },
        limits: { memory: '2Gi', cpu: '2000m' },
      });
    }
  });

  test('asks for probes where they are answered, and waits for the database before it restarts anything', () => {
    for (const container of deployed) {
      const { name: process, env, ports = [] } = container;
      const { startupProbe, livenessProbe, readinessProbe } = container;
      expect([startupProbe?.httpGet.path, livenessProbe?.httpGet.path], process).toEqual([
        '/startupz',
        '/livez',
      ]);
      for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
        expect(ports.map(({ name }) => name)).toContain(probe?.httpGet.port);
      }
      expect(
        (livenessProbe?.periodSeconds ?? 0) * (livenessProbe?.failureThreshold ?? 0),
      ).toBeGreaterThanOrEqual(300);
      const probePort = env.find(({ name }) => name === 'PROBE_PORT')?.value;
      if (process === 'edge') continue;
      expect(readinessProbe?.httpGet.path).toBe('/readyz');
      expect(ports).toEqual([{ name: 'probes', containerPort: Number(probePort) }]);
    }
  });

  test('asks only processes for probes that answer them', () => {
    expect(read('containers/run-container.ts')).toContain('openProbes(');
    for (const { name } of ours.filter(({ name }) => name !== 'edge')) {
      expect(sourcesOf(name), name).toMatch(/run(Container|Stateless)\(/);
    }
  });
});
