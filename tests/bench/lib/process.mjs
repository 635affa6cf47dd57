// Programs that a benchmark starts, and what the kernel says they cost.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { sleep } from '../../system/lib/gateway.mjs';

export const root = resolve(fileURLToPath(import.meta.url), '../../../..');
/** The build that is measured: SE_BUILD, else build/. */
export const build = resolve(root, process.env.SE_BUILD ?? 'build');
process.env.SHARPEYES ??= join(build, 'sharpeyes');

const running = new Set();

/** Starts a program. What it writes comes from line(). */
export function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  child.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.gone = new Promise((done) => child.once('exit', (code, signal) => done({ code, signal })));
  child.gone.then(() => running.delete(child));
  running.add(child);
  return child;
}

/** A peer of tests/bench, by the name of its CMake target. */
export const peer = (name, args, options) => start(join(build, 'tests/bench', name), args, options);

/** The next line of a child, as JSON; fails when it ends or says nothing within ms. */
export async function line(child, ms = 20_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${child.spawnfile} said nothing within ${ms} ms`)), ms);
  });
  const { value, done } = await Promise.race([child.lines.next(), late]).finally(() => clearTimeout(timer));
  if (done) throw new Error(`${child.spawnfile} ended: ${JSON.stringify(await child.gone)}`);
  return JSON.parse(value);
}

/** SIGTERM and the exit; SIGKILL for one that does not listen. */
export async function stop(child) {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const exit = await child.gone;
  clearTimeout(timer);
  return exit;
}

export async function stopAll() {
  await Promise.all([...running].map(stop));
}

/**
 * CPU seconds (user and system, all threads), resident KiB and threads of a process. Where the kernel counts
 * nanoseconds they are taken: the ticks of /proc/PID/stat are 10 ms, much for a short window.
 */
export function figures(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  let cpu = (Number(fields[11]) + Number(fields[12])) / 100; // USER_HZ is 100 on every Linux that Debian ships
  const ns = existsSync(`/proc/${pid}/schedstat`) ? nanoseconds(pid, tasks) : 0;
  // A thread that has ended is in the ticks only.
  if (ns > 0 && Math.abs(ns / 1e9 - cpu) < 0.03 + tasks.length * 0.001) cpu = ns / 1e9;
  return { cpu, kib: Number(/VmRSS:\s+(\d+)/.exec(status)[1]), threads: tasks.length };
}

function nanoseconds(pid, tasks) {
  let sum = 0;
  for (const task of tasks) {
    try {
      sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // it ended between the two looks
    }
  }
  return sum;
}

/** What a process costs over a window of so many seconds: {seconds, cpu_percent (of one core), kib, threads};
 * `others`, pids by name, are measured beside it as NAME_cpu_percent. */
export async function measure(pid, seconds, others = {}) {
  const before = figures(pid);
  const beside = Object.entries(others).map(([name, other]) => [name, other, figures(other).cpu]);
  const began = process.hrtime.bigint();
  await sleep(seconds * 1000);
  const after = figures(pid);
  const took = Number(process.hrtime.bigint() - began) / 1e9;
  const result = {
    seconds: round(took, 2),
    cpu_percent: round(((after.cpu - before.cpu) / took) * 100, 3),
    kib: after.kib,
    threads: after.threads,
  };
  for (const [name, other, cpu] of beside) {
    result[`${name}_cpu_percent`] = round(((figures(other).cpu - cpu) / took) * 100, 1);
  }
  return result;
}

export const round = (value, digits) => Number(value.toFixed(digits));

export function median(values) {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
