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

interface Histogram {
  name: string;
  labels: Labels;
  bounds: readonly number[];
  /** Observations by the lowest bound that they fit, those beyond all bounds last. */
  counts: number[];
  microseconds: number;
}

/** Whole-number counts by series. Bounded: series are made of route patterns, channels and codes, never of input. */
export class Counts {
  #counts = new Map<string, number>();
  /** Written out as series only when they are taken: an observation costs one of them, not one per bucket. */
  #histograms = new Map<string, Histogram>();

  add(name: string, labels: Labels, by = 1): void {
    this.#increase(series(name, labels), by);
  }

  #increase(key: string, by: number): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by);
  }

  /**
   * A histogram named `<name>_seconds`; its sum is kept in whole microseconds as `<name>_microseconds_sum`. A name has
   * the same bounds always.
   */
  observe(name: string, labels: Labels, seconds: number, bounds: readonly number[] = buckets): void {
    const key = series(name, labels);
    let histogram = this.#histograms.get(key);
    if (!histogram) {
      histogram = { name, labels, bounds, counts: Array(bounds.length + 1).fill(0), microseconds: 0 };
      this.#histograms.set(key, histogram);
    }
    const fits = bounds.findIndex((bound) => seconds <= bound);
    const place = fits === -1 ? bounds.length : fits;
    histogram.counts[place] = (histogram.counts[place] as number) + 1;
    histogram.microseconds += Math.round(seconds * 1e6);
  }

  /** Hands over what was counted and starts from zero. */
  take(): Array<[series: string, count: number]> {
    for (const { name, labels, bounds, counts, microseconds } of this.#histograms.values()) {
      let count = 0;
      for (const [i, bound] of [...bounds, '+Inf'].entries()) {
        count += counts[i] as number;
        this.add(`${name}_seconds_bucket`, { ...labels, le: bound }, count);
      }
      this.add(`${name}_seconds_count`, labels, count);
      this.add(`${name}_microseconds_sum`, labels, microseconds);
    }
    this.#histograms.clear();
    const taken = [...this.#counts];
    this.#counts.clear();
    return taken;
  }

  /** Takes back what could not be delivered. */
  restore(taken: ReadonlyArray<[series: string, count: number]>): void {
    for (const [key, count] of taken) this.#increase(key, count);
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
