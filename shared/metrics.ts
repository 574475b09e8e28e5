// Counting in Prometheus' terms. Series are added up in memory and handed over in bulk; a total lives where it is
// handed to (Redis for the edge), so that it survives the process that counted.

export type Labels = Record<string, string | number>;

/** `name{label="value"}`, labels in alphabetical order, values escaped as the exposition format asks. */
export function series(name: string, labels: Labels = {}): string {
  const pairs = Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([key, value]) =>
        `${key}="${String(value).replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`,
    );
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
}

/** Upper bounds in seconds: enough to see where time goes. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** Close to each other, for percentiles: between 5 ms and 1 s each is at most two thirds above the one before. */
export const fineBuckets = [
  0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.35, 0.5, 0.75, 1, 1.5,
  2.5, 5, 10,
];

/** Whole-number counts by series. Bounded: series are made of route patterns, channels and codes, never of input. */
export class Counts {
  #counts = new Map<string, number>();

  add(name: string, labels: Labels, by = 1): void {
    const key = series(name, labels);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by);
  }

  /** A histogram named `<name>_seconds`; its sum is kept in whole microseconds as `<name>_microseconds_sum`. */
  observe(name: string, labels: Labels, seconds: number, bounds: readonly number[] = buckets): void {
    for (const bound of bounds) {
      this.add(`${name}_seconds_bucket`, { ...labels, le: bound }, seconds <= bound ? 1 : 0);
    }
    this.add(`${name}_seconds_bucket`, { ...labels, le: '+Inf' });
    this.add(`${name}_seconds_count`, labels);
    this.add(`${name}_microseconds_sum`, labels, Math.round(seconds * 1e6));
  }

  /** Hands over what was counted and starts from zero. */
  take(): Array<[series: string, count: number]> {
    const taken = [...this.#counts];
    this.#counts.clear();
    return taken;
  }

  /** Takes back what could not be delivered. */
  restore(taken: ReadonlyArray<[series: string, count: number]>): void {
    for (const [key, count] of taken) this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
  }
}

/** Sorts series by name and labels, a histogram's buckets by their bound. */
export const bySeries = (a: Sample, b: Sample): number => (sortKey(a) < sortKey(b) ? -1 : 1);
const sortKey = ({ series: text }: Sample) => text.replace('le="+Inf"', 'le="~"');

export interface Sample {
  series: string;
  value: number;
}

/** The exposition text: samples grouped by metric, `_microseconds_sum` turned into `_seconds_sum`. */
export function exposition(
  samples: Iterable<Sample>,
  help: Record<string, { type: string; help: string }>,
): string {
  const groups = new Map<string, string[]>();
  for (const sample of samples) {
    const [, counted = '', labels = ''] = /^([^{]*)(.*)$/s.exec(sample.series) ?? [];
    const inSeconds = counted.endsWith('_microseconds_sum');
    const metric = inSeconds ? counted.replace('_microseconds_sum', '_seconds_sum') : counted;
    const family = help[metric] ? metric : metric.replace(/_(bucket|count|sum)$/, '');
    const lines = groups.get(family) ?? [];
    lines.push(`${metric}${labels} ${inSeconds ? sample.value / 1e6 : sample.value}`);
    groups.set(family, lines);
  }
  return [...groups]
    .map(([family, lines]) => {
      const about = help[family];
      const head = about ? `# HELP ${family} ${about.help}\n# TYPE ${family} ${about.type}\n` : '';
      return `${head}${lines.join('\n')}\n`;
    })
    .join('');
}
