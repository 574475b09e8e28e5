// Prometheus' own tool finds nothing wrong with the rules, their unit tests, the scrape configuration and the
// dashboard's expressions. Where it is missing and we may not install it this is skipped aloud, but never in CI.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { say } from '../../dev/progress.ts';
import { MissingProgram, requirePrograms, runText } from '../../dev/servers/program.ts';
import { read, root } from './repository.ts';

const program = { name: 'promtool', debianPackage: 'prometheus', macos: 'brew install prometheus' };

const promtool = await requirePrograms('The check of the alert rules', [program]).then(
  ([path]) => path as string,
  (error) => {
    if (!(error instanceof MissingProgram) || process.env.CI === 'true') throw error;
    const line = '*'.repeat(100);
    say(`${line}\n* THE ALERT RULES ARE NOT CHECKED: ${error.message}\n${line}`);
    return undefined;
  },
);

describe.skipIf(promtool === undefined)('promtool', () => {
  const run = (...args: string[]) => runText(promtool as string, args, { cwd: root });

  test('takes the rules', async () => {
    expect(await run('check', 'rules', 'ops/alerts.yml')).toContain('SUCCESS');
  });

  test('sees them fire when they should, and only then', async () => {
    expect(await run('test', 'rules', 'ops/alerts.test.yml')).toContain('SUCCESS');
  });

  test('takes the configuration', async () => {
    expect(await run('check', 'config', '--syntax-only', 'ops/prometheus.yml')).toContain('SUCCESS');
  });

  describe("the dashboard's expressions", () => {
    let file: string;
    beforeAll(() => {
      const panels: { targets?: { expr: string }[] }[] = JSON.parse(read('ops/dashboard.json')).panels;
      const rules = panels
        .flatMap(({ targets = [] }) => targets)
        .map(({ expr }, i) => ({ record: `panel_${i}`, expr: expr.replaceAll('$__rate_interval', '1m') }));
      expect(rules.length).toBeGreaterThan(20);
      file = join(mkdtempSync(join(inject('runFolder'), 'dashboard-')), 'rules.yml');
      // YAML takes JSON.
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    });

    test('are PromQL', async () => {
      expect(await run('check', 'rules', file)).toContain('SUCCESS');
    });
  });
});
