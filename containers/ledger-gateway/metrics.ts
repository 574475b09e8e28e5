// What the gateway counts, for Prometheus at its own /metrics: it has no database to tell it to.

import type { BreakerState } from '../../shared/circuit-breaker.ts';
import { Counts, exposition, series } from '../../shared/metrics.ts';

export const gatewayMetrics = {
  recoup_ledger_gateway_calls_total: {
    type: 'counter',
    labels: ['method', 'outcome'],
    help: 'Calls by method and outcome: ok, or the code of the problem.',
  },
  recoup_ledger_gateway_call_seconds: {
    type: 'histogram',
    labels: ['method'],
    help: 'How long calls took, by method.',
  },
  recoup_ledger_gateway_repeats_total: {
    type: 'counter',
    labels: [],
    help: 'Attempts that were not the first of their call.',
  },
  recoup_ledger_gateway_calls: { type: 'gauge', labels: [], help: 'Calls under way.' },
  recoup_ledger_gateway_streams: { type: 'gauge', labels: [], help: 'Streams that are open.' },
  recoup_ledger_gateway_breaker: {
    type: 'gauge',
    labels: ['state'],
    help: '1 for the state in which the circuit breaker is.',
  },
  recoup_ledger_gateway_ledger_up: {
    type: 'gauge',
    labels: [],
    help: '1 when the ledger has last said that it serves.',
  },
} as const;

export interface GatewayState {
  calls: number;
  streams: number;
  repeated: number;
  breaker: BreakerState;
  isServing: boolean;
}

const breakerStates: BreakerState[] = ['closed', 'open', 'half_open'];
const name = 'recoup_ledger_gateway';

export function createMetrics() {
  const counts = new Counts();
  return {
    called(method: string, outcome: string, seconds: number): void {
      counts.add(`${name}_calls_total`, { method, outcome });
      counts.observe(`${name}_call`, { method }, seconds);
    },
    text({ calls, streams, repeated, breaker, isServing }: GatewayState): string {
      const counted = counts.take();
      // Totals since the start: what was taken goes on growing.
      counts.restore(counted);
      const now: [string, number][] = [
        [`${name}_repeats_total`, repeated],
        [`${name}_calls`, calls],
        [`${name}_streams`, streams],
        ...breakerStates.map((state): [string, number] => [
          series(`${name}_breaker`, { state }),
          Number(state === breaker),
        ]),
        [`${name}_ledger_up`, Number(isServing)],
      ];
      return exposition(
        [...counted, ...now].map(([key, value]) => ({ series: key, value })),
        gatewayMetrics,
      );
    },
  };
}
