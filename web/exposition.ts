/*
 * The text format of Prometheus (0.0.4): one family of samples after the other. Values of labels may be anything: they are
 * escaped.
 *
 * By hand and not by a library: durations come as classes that were counted on other threads, and libraries want to count.
 */
import { DURATION_BOUNDS, type Durations } from '../state/measurements.js';

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type Labels = Readonly<Record<string, string>>;
/** A value, with what tells it from the others of its family. */
export type Sample<T = number> = readonly [value: T, labels?: Labels];

export class Exposition {
  #text = '';

  gauge(name: string, help: string, samples: readonly Sample[]): void {
    this.#family(name, 'gauge', help);
    for (const [value, labels] of samples) this.#sample(name, value, labels);
  }

  /** `name` ends in `_total`. */
  counter(name: string, help: string, samples: readonly Sample[]): void {
    this.#family(name, 'counter', help);
    for (const [value, labels] of samples) this.#sample(name, value, labels);
  }

  /** Of durations, in seconds: `name` ends in `_seconds`. */
  histogram(name: string, help: string, samples: readonly Sample<Durations>[]): void {
    this.#family(name, 'histogram', help);
    for (const [{ totalMs, counts }, labels] of samples) {
      let below = 0;
      for (const [index, count] of counts.entries()) {
        below += count;
        const bound = DURATION_BOUNDS[index];
        const le = bound === undefined ? '+Inf' : String(bound / 1e6);
        this.#sample(`${name}_bucket`, below, { ...labels, le });
      }
      this.#sample(`${name}_sum`, totalMs / 1000, labels);
      this.#sample(`${name}_count`, below, labels);
    }
  }

  toString(): string {
    return this.#text;
  }

  #family(name: string, type: string, help: string): void {
    this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  }

  #sample(name: string, value: number, labels: Labels = {}): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
    this.#text += `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
