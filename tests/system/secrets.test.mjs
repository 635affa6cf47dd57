// What the gateway keeps of the cameras' secrets: a lost key is told in words, and is no reason to lose the camera.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Cameras } from './lib/cameras.mjs';
import { Gateway, until } from './lib/gateway.mjs';

let cameras, g;
const login = { auth: 'digest', username: 'admin', password: 'canary-pw' };

before(async () => {
  cameras = await Cameras.start({ config: { cameras: [{ name: 'gate', clip: 'plain', ...login }] } });
  g = await Gateway.start();
});
after(async () => {
  await g?.stop();
  await cameras?.stop();
});

const live = (id) => until(async () => (await g.get(`/api/v1/cameras/${id}`)).json.state === 'live', 15_000, `${id} is live`);

test('a camera whose password does not open is there, offline, and says why', async () => {
  const { json } = await g.post('/api/v1/cameras', {
    name: 'gate',
    streams: [{ role: 'main', url: cameras.url('gate'), username: login.username, password: login.password }],
  });
  await live(json.id);
  await g.kill();
  writeFileSync(join(g.dir, 'secret.key'), `${randomBytes(32).toString('hex')}\n`);
  await g.restart();

  const status = await g.get(`/api/v1/cameras/${json.id}/status`);
  assert.equal(status.status, 200, status.text);
  assert.equal(status.json.state, 'offline');
  assert.match(status.json.streams[0].last_error, /its password does not open.*Set the password again/);
  assert.equal((await g.get(`/api/v1/cameras/${json.id}`)).json.state, 'offline');

  // Another change is no reason to forget it: with the key back, it opens again.
  const renamed = await g.patch(`/api/v1/cameras/${json.id}`, { name: 'the gate' });
  assert.equal(renamed.status, 200, renamed.text);
  assert.equal(renamed.json.streams[0].has_password, true);
  assert.equal((await g.get(`/api/v1/cameras/${json.id}`)).json.state, 'offline');

  const mended = await g.patch(`/api/v1/cameras/${json.id}`, {
    streams: [{ role: 'main', username: login.username, password: login.password }],
  });
  assert.equal(mended.status, 200, mended.text);
  await live(json.id);
  assert.doesNotMatch(g.log, /canary/);
});
