// Reads Prometheus' text format (0.0.4) strictly, as a scraper would have to.

export interface Metric {
  type: string;
  /** Values by series, `name{labels}` as written. */
  samples: Map<string, number>;
}

const helpLine = /^# HELP ([a-zA-Z_:][\w:]*) (.+)$/;
const typeLine = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary|untyped)$/;
const sampleLine =
  /^([a-zA-Z_:][\w:]*)((?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*"(?:,(?=[a-zA-Z])|(?=\})))+\})?) (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN|[+-]Inf)$/;

/** Throws at the first line that is not of the format, or in the wrong place. */
export function parseExposition(text: string): Map<string, Metric> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const metrics = new Map<string, Metric>();
  let current: { family: string; metric: Metric } | undefined;
  let helped: string | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const [, helpFor] = helpLine.exec(line) ?? [];
    const [, typeFor, type] = typeLine.exec(line) ?? [];
    const [, name, labels, value] = sampleLine.exec(line) ?? [];
    if (helpFor) {
      helped = helpFor;
    } else if (typeFor && type) {
      if (metrics.has(typeFor) || helped !== typeFor) throw new Error(`misplaced: ${line}`);
      current = { family: typeFor, metric: { type, samples: new Map() } };
      metrics.set(typeFor, current.metric);
    } else if (name) {
      const suffix = current && name.startsWith(current.family) && name.slice(current.family.length);
      const allowed = current?.metric.type === 'histogram' ? ['_bucket', '_count', '_sum'] : [''];
      if (!current || typeof suffix !== 'string' || !allowed.includes(suffix)) {
        throw new Error(`outside of its metric: ${line}`);
      }
      if (current.metric.samples.has(name + labels)) throw new Error(`comes twice: ${line}`);
      current.metric.samples.set(name + labels, Number(value));
    } else {
      throw new Error(`not of the format: ${line}`);
    }
  }
  for (const [family, metric] of metrics) if (metric.type === 'histogram') checkHistogram(family, metric);
  return metrics;
}

/** Buckets grow with their bounds and end at +Inf, which is the count; each has a sum. */
function checkHistogram(family: string, { samples }: Metric): void {
  const buckets = new Map<string, [bound: number, count: number][]>();
  for (const [series, count] of samples) {
    if (!series.startsWith(`${family}_bucket{`)) continue;
    const bound = /(?:^|[{,])le="([^"]+)"/.exec(series)?.[1];
    const labels = series
      .slice(`${family}_bucket`.length)
      .replace(/,?le="[^"]+"/, '')
      .replace('{,', '{');
    const known = buckets.get(labels) ?? [];
    known.push([bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound), count]);
    buckets.set(labels, known);
  }
  if (buckets.size === 0) throw new Error(`${family} has no buckets`);
  for (const [labels, known] of buckets) {
    known.sort(([a], [b]) => a - b);
    const grows = known.every(([, count], i) => i === 0 || count >= known[i - 1]![1]);
    const [bound, last] = known.at(-1)!;
    const count = samples.get(`${family}_count${labels}`);
    const sum = samples.get(`${family}_sum${labels}`);
    if (!grows || bound !== Number.POSITIVE_INFINITY || last !== count || !(sum! >= 0)) {
      throw new Error(`${family}${labels} is no histogram: ${JSON.stringify({ known, count, sum })}`);
    }
  }
}
