// How the whole system is: health for everybody, metrics and statistics for those who may.

import { Hono } from 'hono';
import type { Scope } from '../app.ts';
import type { ApiSettings } from './env.ts';
import { health } from './health.ts';
import { metrics } from './metrics.ts';
import { route } from './route.ts';
import { health as healthShape, stats as statsShape } from './shapes/system.ts';
import { stats } from './stats.ts';

const tag = 'System';

export const systemRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/health',
      {
        permission: 'open',
        summary: 'How every part is; open to those who watch it, and without data of anybody',
        description: '503 with the same body when any check is an error.',
        tag,
        answers: { 200: healthShape, 503: healthShape },
      },
      health,
    ),
  )
  .get(
    ...route(
      '/metrics',
      {
        permission: 'metrics:read',
        openWhen: ({ metricsOpen }: ApiSettings) => metricsOpen,
        summary: 'The metrics, for Prometheus',
        description: 'Open where `METRICS_ACCESS` is `open`.',
        tag,
        answers: { 200: null },
        mediaType: 'text/plain',
      },
      metrics,
    ),
  )
  .get(
    ...route(
      '/api/v1/payments/stats',
      {
        permission: 'metrics:read',
        summary: 'What was done since midnight in the business zone',
        tag,
        answers: { 200: statsShape },
      },
      stats,
    ),
  );
