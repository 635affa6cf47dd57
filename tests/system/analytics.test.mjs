// The stand-in for an analytics box: what it says is to be seen at that moment, it says neither too much nor too
// late, and it puts up with a gateway that is not there.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Plan, position, signalOf } from '../camera/analytics.mjs';
import { program, until } from './lib/gateway.mjs';

const build = process.env.SE_BUILD ?? dirname(program());
const script = resolve(dirname(fileURLToPath(import.meta.url)), '../camera/analytics.mjs');
let dir;
let scenes;

before(() => {
  dir = mkdtempSync(join(tmpdir(), 'analytics-'));
  execFileSync(join(build, 'clip-draw'), ['--events', '--out', dir]);
  ({ scenes } = JSON.parse(readFileSync(join(dir, 'events.json'), 'utf8')));
});
after(() => rmSync(dir, { recursive: true, force: true }));

test('every scene has something happening, within its minute', () => {
  assert.equal(scenes.length, 12);
  for (const { camera, length_s, events } of scenes) {
    assert.ok(events.length > 0, camera);
    for (const event of events) {
      assert.ok(event.at_s >= 0 && event.until_s <= length_s && event.until_s - event.at_s >= 20, camera);
      assert.match(event.type, /^[a-z_]+$/);
      assert.ok(['info', 'minor', 'major', 'critical'].includes(event.severity));
      assert.ok(event.message.length > 0);
      for (const { x, y, w, h } of event.boxes) assert.ok(x >= 0 && y >= 0 && x + w <= 1 && y + h <= 1, camera);
    }
  }
});

test('whenever it starts: first within 30 s, then a new one each 20 to 50 s, only of what is to be seen', () => {
  const minute = 29_000_000 * 60_000;
  for (let start = 0; start < 60; start += 3) {
    const plan = new Plan(scenes);
    const begun = new Map();
    const fresh = [];
    const said = [];
    for (let t = minute + start * 1000; t < minute + start * 1000 + 840_000; t += 500) {
      for (const sight of plan.due(t)) {
        const at = position(sight.scene.length_s, t);
        assert.ok(at >= sight.event.at_s && at < sight.event.until_s, `${sight.scene.camera} at ${at}`);
        said.push(t);
        if (sight.begunMs !== t) continue;
        const before = begun.get(sight);
        assert.ok(before === undefined || t - before >= 300_000, `${sight.scene.camera} again after ${(t - before) / 1000} s`);
        begun.set(sight, t);
        fresh.push(t);
      }
    }
    assert.ok(fresh[0] - (minute + start * 1000) <= 30_000, `started at ${start}: first after ${(fresh[0] - minute) / 1000 - start} s`);
    for (let i = 1; i < fresh.length; i++) {
      const pause = (fresh[i] - fresh[i - 1]) / 1000;
      assert.ok(pause >= 20 && pause <= 50, `started at ${start}: ${pause} s between two`);
    }
    assert.equal(begun.size, 12, 'each had its turn');
    assert.ok(said.length > fresh.length * 1.5, 'repeats that are counted');
    assert.ok(said.length < 840 / 4);
  }
});

test('left alone it becomes slow', () => {
  const plan = new Plan(scenes);
  let fresh = 0;
  for (let t = 3_600_000; t < 3_600_000 + 6 * 3_600_000; t += 1000) fresh += plan.due(t).filter((s) => s.begunMs === t).length;
  assert.ok(fresh < 200, `${fresh} in six hours`);
});

test('a signal is as the contract has it', () => {
  const plan = new Plan(scenes);
  let sight;
  let t = 0;
  for (; !sight; t += 1000) [sight] = plan.due(t);
  const signal = signalOf(sight, { [sight.scene.camera]: 'the-id' }, t);
  assert.deepEqual(Object.keys(signal), ['source', 'type', 'occurred_at', 'camera', 'severity', 'message', 'boxes']);
  assert.equal(signal.camera, 'the-id');
  assert.match(signal.occurred_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test('tries again when the gateway says 503, keeps its token out of its arguments, ends on SIGTERM', async () => {
  const got = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (piece) => (body += piece));
    request.on('end', () => {
      got.push({ authorization: request.headers.authorization, body: JSON.parse(body) });
      const busy = got.length === 1;
      response.writeHead(busy ? 503 : 202, { 'content-type': 'application/json' });
      response.end(busy ? '{}' : JSON.stringify({ items: [{ signal_id: 's', incident_id: 'i' }] }));
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  writeFileSync(join(dir, 'token'), 'the-token\n', { mode: 0o600 });
  writeFileSync(join(dir, 'always.json'), JSON.stringify({
    scenes: [{ camera: 'cam01', length_s: 10, events: [{ at_s: 0, until_s: 10, type: 'smoke', severity: 'major', message: 'x', boxes: [] }] }],
  }));
  const args = [script, '--api', `http://127.0.0.1:${server.address().port}`, '--token-file', join(dir, 'token'), '--events', join(dir, 'always.json'), '--rest', '1'];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  const exit = new Promise((done) => child.once('exit', (code, signal) => done({ code, signal })));

  try {
    await until(() => got.length >= 2, 15_000, 'a second try');
    assert.ok(!args.join(' ').includes('the-token'));
    assert.equal(got[1].authorization, 'Bearer the-token');
    assert.deepEqual(got[1].body, got[0].body);
  } finally {
    child.kill('SIGTERM');
    server.close();
  }
  assert.deepEqual(await exit, { code: 0, signal: null });
});
