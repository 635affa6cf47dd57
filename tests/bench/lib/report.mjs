// What a benchmark is told, and what it says: JSON lines on standard output, the last one its verdict.
import { median, round } from './process.mjs';

/**
 * --name value and --name=value over defaults: numbers, and lists of numbers ("--n 50,200"). Others end it with
 * the usage, exit code 2.
 */
export function options(bench, defaults) {
  const out = { ...defaults };
  const argv = process.argv.slice(2);
  for (let i = 0; i < argv.length; i++) {
    const [name, value] = argv[i].includes('=') ? argv[i].split('=') : [argv[i], argv[++i]];
    const key = name.replace(/^--/, '').replaceAll('-', '_');
    const numbers = String(value).split(',').map(Number);
    const good = numbers.every((number) => number > 0) && (Array.isArray(defaults[key]) || numbers.length === 1);
    if (!(key in defaults) || !good) {
      const known = Object.entries(defaults).map(([k, v]) => `[--${k.replaceAll('_', '-')} ${v}]`);
      console.error(`usage: ./dev bench ${bench} ${known.join(' ')}`);
      process.exit(2);
    }
    out[key] = Array.isArray(defaults[key]) ? numbers : numbers[0];
  }
  return out;
}

export class Report {
  constructor(bench) {
    this.bench = bench;
    this.rows = [];
    this.checks = [];
  }

  /** One measurement, as it is. */
  row(fields) {
    this.rows.push(fields);
    console.log(JSON.stringify({ bench: this.bench, ...fields }));
  }

  /** The median over all rows that have these fields. */
  median(field, match) {
    const fits = (row) => Object.entries(match).every(([key, value]) => row[key] === value);
    return median(this.rows.filter(fits).map((row) => row[field]));
  }

  /** The median over runs of what `ratio(field-of)` gives within each run: both sides saw the same machine. */
  ratio(field, over, under) {
    const runs = [...new Set(this.rows.map((row) => row.run))];
    const of = (run, match) => this.median(field, { ...match, run });
    return median(runs.map((run) => of(run, over) / of(run, under)));
  }

  /** Holds a value to a demand: at most `most`, or at least `least`. */
  demand(what, value, { most, least, digits = 3 }) {
    const pass = most !== undefined ? value <= most : value >= least;
    const limit = most !== undefined ? { at_most: most } : { at_least: least };
    this.checks.push({ what, value: Number.isFinite(value) ? round(value, digits) : null, ...limit, result: pass ? 'pass' : 'fail' });
  }

  /** The last line. A demand that is not met is said, not an error: figures are for people to judge. */
  verdict(more = {}) {
    const failed = this.checks.filter((check) => check.result === 'fail').length;
    console.log(JSON.stringify({ bench: this.bench, ...more, demands: this.checks, verdict: failed ? `fail: ${failed} of ${this.checks.length}` : 'pass' }));
  }
}
