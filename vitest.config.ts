// Two projects: `unit` is quick and starts nothing; `integration` (x.int.test.ts, journeys, chaos) has real servers,
// started once per run and only when one of its files is about to run.

import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Processes that tests start need not compile what others have.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'node_modules/.cache/compiled');

const integration = ['**/*.int.test.ts', 'test/{journeys,chaos}/**/*.test.ts'];
const exclude = ['**/node_modules/**', '**/.recoup/**', '**/.wrangler/**', '**/dist/**'];

export default defineConfig({
  test: {
    maxWorkers: 2,
    reporters: ['default', './test/closing-line.ts'],
    // kafkajs on Node 24: known and harmless.
    execArgv: ['--disable-warning=TimeoutNegativeWarning'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // Files that run after each other share what they import: whatever fakes something global gives it back.
          isolate: false,
          include: ['**/*.test.ts'],
          exclude: [...exclude, ...integration],
        },
      },
      {
        extends: true,
        test: { name: 'integration', include: integration, exclude, globalSetup: ['test/global-setup.ts'] },
      },
    ],
  },
});
