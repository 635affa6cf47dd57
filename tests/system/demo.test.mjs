// The demo behind ./dev run, with small clips in the place of the twelve: it comes up by itself, an incident
// appears, it ends without leaving anything behind, and says what is wrong when it cannot start.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { clips } from './lib/cameras.mjs';
import { program, until } from './lib/gateway.mjs';

const build = process.env.SE_BUILD ?? dirname(program());
const script = resolve(dirname(fileURLToPath(import.meta.url)), '../camera/demo.mjs');
let dir;
let http;

const listen = (port) => new Promise((done) => {
  const server = createServer();
  server.listen(port, '127.0.0.1', () => done(server));
});
const close = (server) => new Promise((done) => server.close(done));

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'demo-'));
  const small = await clips();
  execFileSync(join(build, 'clip-draw'), ['--events', '--out', join(dir, 'clips')]);
  for (let i = 1; i <= 12; i++) {
    const name = join(dir, 'clips', `cam${String(i).padStart(2, '0')}`);
    symlinkSync(join(small, 'plain.mp4'), `${name}.mp4`);
    symlinkSync(join(small, 'plain.sub.mp4'), `${name}.sub.mp4`);
  }
  const server = await listen(0);
  http = `127.0.0.1:${server.address().port}`;
  await close(server);
});
after(() => rmSync(dir, { recursive: true, force: true }));

class Demo {
  constructor(env = {}) {
    this.out = '';
    this.process = spawn(process.execPath, [script], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, SE_BUILD: build, SE_HTTP: http, SE_DEMO_DATA: join(dir, 'data'), SE_DEMO_CLIPS: join(dir, 'clips'), ...env },
    });
    for (const stream of [this.process.stdout, this.process.stderr]) stream.setEncoding('utf8').on('data', (text) => (this.out += text));
    this.exited = new Promise((done) => this.process.once('exit', (code, signal) => done((this.exit = { code, signal }))));
  }

  up() {
    return until(() => {
      if (this.exit) throw new Error('it ended');
      return this.out.includes('Ctrl-C ends it');
    }, 60_000, `the demo is up: ${this.out}`);
  }

  /** {name: pid} of what it started. */
  children() {
    const pids = readFileSync(`/proc/${this.process.pid}/task/${this.process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    return Object.fromEntries(pids.map((pid) => [readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, 2).join(' '), Number(pid)]));
  }

  /** SIGTERM and, should that not do, SIGKILL; the exit. */
  async end() {
    if (!this.exit) {
      this.process.kill('SIGTERM');
      const late = setTimeout(() => this.process.kill('SIGKILL'), 30_000);
      await this.exited;
      clearTimeout(late);
    }
    return this.exit;
  }
}

const alive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('comes up, cameras live, an incident in a grid with a case, and ends without a trace', async () => {
  const demo = new Demo();
  let pids = [];
  try {
    await demo.up();
    pids = Object.values(demo.children());
    assert.equal(pids.length, 3, JSON.stringify(demo.children()));
    for (const file of ['initial-admin-password', 'demo-analytics-token', 'demo-users']) {
      assert.equal(statSync(join(dir, 'data', file)).mode & 0o077, 0, `${file} is for its owner only`);
    }
    const api = async (path, init = {}) => (await fetch(`http://${http}${path}`, { signal: AbortSignal.timeout(10_000), ...init })).json();
    const { token } = await api('/api/v1/sessions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'admin', password: readFileSync(join(dir, 'data', 'initial-admin-password'), 'utf8').trim() }),
    });
    const headers = { authorization: `Bearer ${token}` };
    await until(async () => (await api('/api/v1/cameras', { headers })).items.filter((c) => c.state === 'live').length === 12, 30_000, '12 live cameras');
    const incident = await until(async () => (await api('/api/v1/incidents', { headers })).items[0], 40_000, 'an incident');
    assert.equal(incident.source, 'analytics-sim');
    assert.ok(incident.grid_id && incident.camera_id);
    await until(async () => (await api('/api/v1/cases', { headers })).items.length > 0, 60_000, 'a case');
    for (const [command, pid] of Object.entries(demo.children())) {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      assert.ok(!line.includes(token) && !line.includes(readFileSync(join(dir, 'data', 'demo-analytics-token'), 'utf8').trim()), command);
    }
  } finally {
    await demo.end();
  }
  assert.deepEqual(demo.exit, { code: 0, signal: null }, demo.out);
  assert.deepEqual(pids.filter(alive), []);
});

test('goes on where it stopped; when a camera process dies it says so, ends the rest, and fails', async () => {
  const demo = new Demo();
  try {
    await demo.up();
    const children = demo.children();
    process.kill(Object.entries(children).find(([command]) => command.includes('camera-sim'))[1], 'SIGKILL');
    await until(() => demo.exit, 25_000, 'the end of the demo');
    assert.deepEqual(demo.exit, { code: 1, signal: null });
    assert.match(demo.out, /camera-sim was ended by SIGKILL/);
    assert.deepEqual(Object.values(children).filter(alive), []);
  } finally {
    await demo.end();
  }
});

test('a port that is taken: says which, and how to take another', async () => {
  const server = await listen(Number(http.split(':')[1]));
  const demo = new Demo();
  try {
    await until(() => demo.exit, 20_000, 'the end of the demo');
    assert.equal(demo.exit.code, 1);
    assert.match(demo.out, new RegExp(`${http} already.*SE_HTTP=127\\.0\\.0\\.1:\\d+ \\./dev run`));
  } finally {
    await demo.end();
    await close(server);
  }
});

test('an address that is none, and programs that are not built', async () => {
  for (const [env, words] of [[{ SE_HTTP: 'nowhere' }, /127\.0\.0\.1:8080/], [{ SE_BUILD: join(dir, 'empty') }, /\.\/dev build/]]) {
    const demo = new Demo(env);
    await until(() => demo.exit, 20_000, 'the end of the demo');
    assert.equal(demo.exit.code, 1);
    assert.match(demo.out, words);
  }
});
