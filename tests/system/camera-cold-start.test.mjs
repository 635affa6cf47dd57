// Five hundred cameras at once, half of them dead: what a power cut in the county leaves when it is over.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';

import { Cameras } from './lib/cameras.mjs';
import { QUICK, Rig } from './lib/rig.mjs';
import { Gateway, until } from './lib/gateway.mjs';

test('a cold start of 500 cameras, half of them dead: the living record at once, threads and descriptors are bounded', { timeout: 120_000 }, async () => {
  const ALIVE = 250;
  const dead = Array.from({ length: 125 }, (_, i) => ({ name: `dead-${i}`, clip: 'plain' }));
  const cameras = await Cameras.start({ config: { all_clips: false, cameras: dead }, load: ALIVE });
  const closed = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => closed.once('listening', done));
  const { port } = closed.address();
  await new Promise((done) => closed.close(done));
  await cameras.order({ do: 'blackhole', camera: '*', seconds: 0 });
  for (let i = 0; i < ALIVE; i++) await cameras.order({ do: 'clear', camera: `load/${i}` });
  const gateway = await Gateway.start({ keep: true, set: QUICK });
  try {
    const department = (await gateway.get('/api/v1/departments')).json.items[0].id;
    const urls = [
      ...Array.from({ length: ALIVE }, (_, i) => cameras.url(`load/${i}`)),
      ...dead.map(({ name }) => cameras.url(name)),
      ...Array.from({ length: 125 }, (_, i) => `rtsp://127.0.0.1:${port}/none-${i}`),
    ];
    const ids = [];
    for (let i = 0; i < urls.length; i += 20) {
      const made = await Promise.all(urls.slice(i, i + 20).map((url, n) => gateway.post('/api/v1/cameras', {
        code: `cold-${i + n}`, name: `cold ${i + n}`, department_id: department, streams: [{ role: 'main', url, transport: 'tcp' }],
      })));
      ids.push(...made.map(({ json }) => json.id));
    }
    await gateway.stop();
    const began = Date.now();
    await gateway.restart();
    await gateway.signIn();
    await until(async () => (await gateway.get('/api/v1/cameras?state=live&limit=1000')).json.items.length === ALIVE, 60_000, 'all that live are live');
    const took = Date.now() - began;
    const query = `from=${new Date(began).toISOString()}&to=${new Date(began + 3_600_000).toISOString()}`;
    await until(async () => {
      for (const i of [0, 50, 150, ALIVE - 1]) {
        if (!(await gateway.get(`/api/v1/cameras/${ids[i]}/recordings?${query}`)).json.ranges.length) return false;
      }
      return true;
    }, 60_000 - took, 'they are recorded');
    const used = Rig.prototype.resources.call({ gateway });
    // A socket for each that lives, one for some of the dead, a file for each recording, and what the program has.
    assert.ok(used.threads < 60, `${used.threads} threads`);
    assert.ok(used.descriptors < 2 * ALIVE + 150 + 200, `${used.descriptors} descriptors`);
    assert.ok(took < 60_000, `${took} ms`);
    await gateway.stop();
  } finally {
    await gateway.kill();
    gateway.keep = false;
    gateway.clean();
    await cameras.stop();
  }
});
