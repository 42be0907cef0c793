/** The figures of `/metrics` (docs/operations.md). */

export interface Figure {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Reads Prometheus's text format. */
export function figuresOf(text: string): Figure[] {
  const figures: Figure[] = [];
  for (const line of text.split("\n")) {
    const found = LINE.exec(line);
    if (found === null) continue;
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value]));
    figures.push({ name: found[1] as string, labels, value: Number((found[3] as string).replace("+Inf", "Infinity")) });
  }
  return figures;
}

/** All of one moment. */
export class Snapshot {
  constructor(
    readonly atS: number,
    readonly figures: readonly Figure[],
  ) {}

  of(name: string): readonly Figure[] {
    return this.figures.filter((figure) => figure.name === name);
  }

  /** The sum of those with these labels; null where there is none. */
  sum(name: string, labels: Record<string, string> = {}): number | null {
    const found = this.of(name).filter((figure) => Object.entries(labels).every(([label, value]) => figure.labels[label] === value));
    return found.length === 0 ? null : found.reduce((sum, figure) => sum + figure.value, 0);
  }
}

/** How much a counter has grown between two moments. After a restart of the server it began at 0 again. */
export function growth(before: Snapshot, after: Snapshot, name: string, labels: Record<string, string> = {}): number {
  const from = before.sum(name, labels) ?? 0;
  const to = after.sum(name, labels) ?? 0;
  return to >= from ? to - from : to;
}

/** A quantile of what a histogram has counted between two moments; null where it counted nothing. */
export function quantile(before: Snapshot, after: Snapshot, name: string, labels: Record<string, string>, q: number): number | null {
  const bounds = [...new Set(after.of(`${name}_bucket`).map((figure) => figure.labels["le"] ?? ""))];
  const buckets = bounds
    .map((le) => ({ bound: le === "+Inf" ? Infinity : Number(le), count: growth(before, after, `${name}_bucket`, { ...labels, le }) }))
    .sort((a, b) => a.bound - b.bound);
  const all = buckets.at(-1)?.count ?? 0;
  if (all === 0) return null;
  const at = buckets.findIndex((bucket) => bucket.count >= q * all);
  const below = buckets[at - 1] ?? { bound: 0, count: 0 };
  const bucket = buckets[at] ?? below;
  if (bucket.bound === Infinity) return below.bound;
  return below.bound + ((bucket.bound - below.bound) * (q * all - below.count)) / Math.max(1e-9, bucket.count - below.count);
}
