// Cameras that go: power lost, nothing answered, stopped in mid-sentence, moved. How soon it is seen, how soon they
// are back, how often they are asked, and that nobody else notices.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';

import { Cameras } from './lib/cameras.mjs';
import { Rig } from './lib/rig.mjs';
import { Gateway, sleep, until } from './lib/gateway.mjs';

const FAINT = Array.from({ length: 25 }, (_, i) => `faint-${i}`);
let rig;

before(async () => {
  rig = await Rig.start({
    cameras: [...FAINT, 'never-answers', 'refuses', 'comes-and-goes'].map((name) => ({ name, listen: '127.0.0.1:0' })),
    set: { 'ingest.stall_ms': 1000, 'ingest.answer_timeout_ms': 1000, 'ingest.retry_max_ms': 1600 },
  });
});
after(() => rig?.stop());

/** Times at which the gateway asked, ms after the first, over some time. */
async function tries(path, ms) {
  const seen = [];
  let { requests } = await rig.cameras.stats(path);
  for (const end = Date.now() + ms; Date.now() < end; await sleep(20)) {
    const now = (await rig.cameras.stats(path)).requests;
    if (now > requests) seen.push(Date.now());
    requests = now;
  }
  return seen;
}

test('power lost a hundred times without a FIN: seen, and back each time; nothing is left behind', { timeout: 60_000 }, async () => {
  for (const name of FAINT) await rig.add(name);
  for (const name of FAINT) await rig.becomes(name, 'live', 15_000);
  const held = rig.resources();
  for (let round = 0; round < 4; round++) {
    for (const name of FAINT) await rig.cameras.order({ do: 'blackhole', camera: name, seconds: 2.5 });
    // Stalled after 1 s, asked, and given up half of that later.
    for (const name of FAINT) await rig.becomes(name, 'offline', 6000);
    for (const name of FAINT) await rig.becomes(name, 'live', 8000);
  }
  for (const name of FAINT) {
    const { main } = await rig.status(name);
    assert.ok(main.reconnects >= 4 && main.reconnects <= 8, `${name}: ${main.reconnects}`);
  }
  await rig.returnsTo(held);
});

test('with the options as they are: offline in 15 s and recording again 10 s after; stalled in 10 s and live again in 5', { timeout: 50_000 }, async () => {
  const frozen = await Cameras.start();
  const gateway = await Gateway.start();
  try {
    const department = (await gateway.get('/api/v1/departments')).json.items[0].id;
    const add = async (code, url) => (await gateway.post('/api/v1/cameras', {
      code, name: code, department_id: department, streams: [{ role: 'main', url }],
    })).json.id;
    const state = async (id) => (await gateway.get(`/api/v1/cameras/${id}/status`)).json.state;
    const reaches = (id, what, ms) => until(async () => (await state(id)) === what, ms, `${what} within ${ms} ms`);
    const faints = await add('faints', rig.cameras.url('comes-and-goes'));
    const stops = await add('stops', frozen.url('plain'));
    for (const id of [faints, stops]) await reaches(id, 'live', 10_000);
    await sleep(2000);

    await rig.cameras.order({ do: 'blackhole', camera: 'comes-and-goes', seconds: 18 });
    const back = Date.now() + 18_000;
    frozen.process.kill('SIGSTOP');
    await reaches(stops, 'stalled', 10_000);
    frozen.process.kill('SIGCONT');
    await reaches(stops, 'live', 5000);
    await reaches(faints, 'offline', back - 3000 - Date.now());
    await sleep(back - Date.now());
    await reaches(faints, 'live', 10_000);
    await until(async () => {
      const query = `from=${new Date(back).toISOString()}&to=${new Date().toISOString()}`;
      return (await gateway.get(`/api/v1/cameras/${faints}/recordings?${query}`)).json.ranges.some((r) => Date.parse(r.to) > back);
    }, back + 12_000 - Date.now(), 'it is recorded again'); // 10 s, and 2 until that is on the disk
    await gateway.stop();
  } finally {
    frozen.process.kill('SIGCONT');
    await gateway.kill();
    await frozen.stop();
  }
});

test('one that never answers, one that refuses: given up in time, asked ever more seldom, with jitter', { timeout: 40_000 }, async () => {
  // A port that nobody listens on.
  const holder = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => holder.once('listening', done));
  const { port } = holder.address();
  await new Promise((done) => holder.close(done));

  for (const name of ['never-answers', 'refuses']) await rig.cameras.order({ do: name === 'refuses' ? 'refuse' : 'blackhole', camera: name, seconds: 0 });
  await rig.add('never-answers');
  await rig.add('refuses');
  await rig.add('nobody-there', { url: `rtsp://127.0.0.1:${port}/x` });
  const [silent, refused] = await Promise.all([tries('never-answers', 14_000), tries('refuses', 14_000)]);
  for (const name of ['never-answers', 'refuses', 'nobody-there']) {
    const { main } = await rig.becomes(name, 'offline', 2000);
    assert.match(main.last_error, /answer|broke|closed|refused|connect/, name);
  }
  // 1 s of waiting for an answer and at most 0.4 s (unreachable) or 1.6 s (fails) of pause, with jitter on top.
  for (const [name, seen, shortest, longest] of [['never-answers', silent, 1000, 4000], ['refuses', refused, 60, 3000]]) {
    const pauses = seen.slice(1).map((t, i) => t - seen[i]);
    assert.ok(pauses.length >= 4, `${name}: ${pauses.length} tries`);
    assert.ok(pauses.slice(2).every((ms) => ms >= shortest * 0.9 && ms <= longest), `${name}: ${pauses}`);
    assert.ok(new Set(pauses.map((ms) => Math.round(ms / 25))).size > 1, `${name} is asked in step: ${pauses}`);
  }
  for (const name of ['never-answers', 'refuses']) await rig.cameras.order({ do: 'clear', camera: name });
  for (const name of ['never-answers', 'refuses']) await rig.becomes(name, 'live', 8000);
});

test('a camera that moved is found at its new address, and only that one is asked anew', { timeout: 30_000 }, async () => {
  const before = (await rig.status('faint-1')).main;
  const spare = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => spare.once('listening', done));
  const address = `127.0.0.1:${spare.address().port}`;
  await new Promise((done) => spare.close(done));
  await rig.cameras.order({ do: 'move', camera: 'faint-0', listen: address });
  await rig.becomes('faint-0', 'offline', 8000);
  rig.cameras.own['faint-0'] = address;
  await rig.change('faint-0', {});
  await rig.becomes('faint-0', 'live', 8000);
  assert.equal((await rig.status('faint-1')).main.reconnects, before.reconnects);
});

test('nobody else noticed', () => rig.kept());
