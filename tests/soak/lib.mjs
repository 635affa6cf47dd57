// What the long runs share: a random generator that can be repeated, arguments, and how a process is looked at.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { sleep } from '../system/lib/gateway.mjs';

const run = promisify(execFile);

/** The same numbers for the same seed (mulberry32). */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }
  next() {
    let t = (this.state = (this.state + 0x6d2b79f5) >>> 0);
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  below(n) {
    return Math.floor(this.next() * n);
  }
  between(low, high) {
    return low + this.next() * (high - low);
  }
  of(list) {
    return list[this.below(list.length)];
  }
}

/** "--minutes 5 --seed=7" over defaults; ends the process on anything else. */
export function readArguments(argv, defaults, usage) {
  const out = { ...defaults };
  for (let i = 0; i < argv.length; i++) {
    const [name, value] = argv[i].includes('=') ? argv[i].split('=') : [argv[i], argv[++i]];
    const key = name.replace(/^--/, '');
    if (!(key in out) || !(Number(value) > 0)) {
      console.error(`usage: ${usage}`);
      process.exit(2);
    }
    out[key] = Number(value);
  }
  return out;
}

export const say = (what) => console.log(JSON.stringify({ at: new Date().toISOString(), ...what }));

/** The least of several looks: what is held, without what is just under way. */
export async function calm(rig, looks = 10) {
  const seen = [];
  for (let i = 0; i < looks; i++) {
    seen.push(rig.resources());
    await sleep(300);
  }
  const least = (key) => Math.min(...seen.map((one) => one[key]));
  return { descriptors: least('descriptors'), threads: least('threads'), kib: least('kib') };
}

/** Descriptors and threads as before, memory within a part and a constant (allocators keep some). */
export function assertFlat(before, after, { part = 0.15, kib = 24 * 1024, descriptors = 8 } = {}) {
  assert.ok(after.descriptors <= before.descriptors + descriptors, `descriptors: ${before.descriptors}, then ${after.descriptors}`);
  assert.ok(after.threads <= before.threads, `threads: ${before.threads}, then ${after.threads}`);
  assert.ok(after.kib <= before.kib * (1 + part) + kib, `memory: ${before.kib} KiB, then ${after.kib} KiB`);
}

function filesBelow(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? filesBelow(path) : entry.name.endsWith('.mp4') ? [path] : [];
  });
}

/**
 * After the gateway has ended: each row of a segment has its file, of that size, and each file its row. The files,
 * as {path, bytes}.
 */
export async function rowsMatchFiles(dir) {
  const { stdout } = await run('sqlite3', ['-json', join(dir, 'sharpeyes.db'), 'SELECT camera_id, start_ms, bytes, open FROM segment'],
    { maxBuffer: 1 << 28 });
  const rows = new Map(JSON.parse(stdout || '[]').map((row) => [`${row.camera_id} ${row.start_ms}`, row]));
  const files = [];
  for (const path of filesBelow(join(dir, 'recordings'))) {
    const [, camera, year, month, day, time] = /\/([^/]+)\/(\d{4})\/(\d\d)\/(\d\d)\/(\d{9})Z[^/]*\.mp4$/.exec(path) ?? [];
    assert.ok(camera, `a file with a strange name: ${path}`);
    const start = Date.UTC(year, month - 1, day, time.slice(0, 2), time.slice(2, 4), time.slice(4, 6), time.slice(6));
    const row = rows.get(`${camera} ${start}`);
    const bytes = statSync(path).size;
    assert.ok(row, `a file without its row: ${path}`);
    assert.equal(row.open, 0, `a row that was not closed: ${path}`);
    assert.equal(row.bytes, bytes, `a row with another size: ${path}`);
    rows.delete(`${camera} ${start}`);
    files.push({ path, bytes });
  }
  assert.equal(rows.size, 0, `rows without their file: ${[...rows.keys()].slice(0, 5)}`);
  return files;
}
