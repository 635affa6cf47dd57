// POST /api/v1/cameras/test: a stream tried without saving it, by either engine.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Cameras, clips } from './lib/cameras.mjs';
import { WebServer, freePort } from './lib/foreign.mjs';
import { Gateway, until } from './lib/gateway.mjs';

let gateway, cameras, web;
const config = {
  cameras: [
    { name: 'plain', clip: 'plain' },
    { name: 'locked', clip: 'aac', auth: 'digest', username: 'viewer', password: 'Pa55-hidden' },
  ],
};

before(async () => {
  cameras = await Cameras.start({ config });
  web = await WebServer.start(await clips());
  gateway = await Gateway.start({ set: { 'ingest.try_ms': 5000 } });
});

after(async () => {
  await gateway?.stop();
  await web?.stop();
  await cameras?.stop();
});

const attempt = async (body, options) => {
  const answer = await gateway.post('/api/v1/cameras/test', body, options);
  assert.ok(!answer.text.includes('Pa55'), answer.text);
  return answer;
};

const tried = async (body) => {
  const answer = await attempt(body);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers.get('content-type'), 'application/json');
  return answer.json;
};

test('a stream that works says what it is, by either engine', { timeout: 60_000 }, async () => {
  for (const [engine, url, codec] of [
    ['auto', cameras.url('plain'), 'h264'],
    ['ffmpeg', cameras.url('plain'), 'h264'],
    ['auto', `${web.url}/h265.mp4`, 'h265'],
  ]) {
    const result = await tried({ url, engine });
    assert.equal(result.ok, true, JSON.stringify(result));
    assert.equal(result.codec, codec);
    assert.equal(result.width, 320);
    assert.equal(result.height, 180);
    assert.ok(Math.abs(result.fps - 15) < 1, `fps ${result.fps}`);
    assert.equal(result.reason, null);
    assert.equal(result.transport, url.startsWith('http') ? 'http' : 'tcp');
    assert.ok(result.took_ms < 5000, `took ${result.took_ms} ms`);
  }
  assert.equal((await gateway.get('/api/v1/cameras')).json.items.length, 0);
});

test('one that does not says why, and no password', { timeout: 60_000 }, async () => {
  const port = await freePort();
  for (const engine of ['auto', 'ffmpeg']) {
    const closed = await tried({ url: `rtsp://127.0.0.1:${port}/x`, engine });
    assert.equal(closed.ok, false);
    assert.match(closed.reason, /refuses connections/);
    const refused = await tried({ url: cameras.url('locked'), username: 'viewer', password: 'Pa55-wrong', engine });
    assert.equal(refused.ok, false);
    assert.match(refused.reason, /refuses the user name or password|password/);
    const unknown = await tried({ url: cameras.url('plain').replace('plain', 'nothing'), engine });
    assert.equal(unknown.ok, false);
    assert.match(unknown.reason, /404|no such stream/i);
    const good = await tried({ url: cameras.url('locked'), username: 'viewer', password: 'Pa55-hidden', engine });
    assert.equal(good.ok, true, JSON.stringify(good));
    assert.equal(good.audio, 'AAC');
  }
  assert.ok(!gateway.log.includes('Pa55'));
});

test('what would not be taken as a stream is 422 and names the field', { timeout: 60_000 }, async () => {
  for (const [body, field, pattern] of [
    [{ url: 'file:///etc/passwd' }, 'url', /./],
    [{ url: 'concat:http://127.0.0.1/a' }, 'url', /./],
    [{ url: 'udp://127.0.0.1:5000' }, 'url', /must begin with/],
    [{ url: 'srt://127.0.0.1:5000?mode=listener' }, 'url', /caller/],
    [{ url: 'http://192.0.2.1/a.m3u8' }, 'url', /ingest\.allow/],
    [{ url: 'rtsp://127.0.0.1/x', engine: 'ffmpeg', transport: 'udp' }, 'url', /TCP only/],
    [{ url: 'rtsp://[fe80::1%25eth0]/x' }, 'url', /not an IPv6 address/],
    [{ url: 'rtsp://[12345::1]/x', engine: 'ffmpeg' }, 'url', /not an IPv6 address/],
    [{}, 'url', /missing/],
    [{ url: cameras.url('plain'), engine: 'vlc' }, 'engine', /./],
    [{ camera: 'plain', role: 'third' }, 'role', /./],
  ]) {
    const { status, json } = await attempt(body);
    assert.equal(status, 422, JSON.stringify(body));
    assert.equal(json.errors[0].field, field, JSON.stringify(json));
    assert.match(json.errors[0].reason, pattern);
  }
  assert.equal((await attempt({ camera: 'nobody' })).status, 404);
});

test('a stored stream is tried with its stored password, but not elsewhere', { timeout: 60_000 }, async (t) => {
  const departments = await gateway.get('/api/v1/departments');
  const created = await gateway.post('/api/v1/cameras', {
    code: 'locked',
    name: 'locked',
    enabled: false,
    department_id: departments.json.items[0].id,
    streams: [{ role: 'main', url: cameras.url('locked'), username: 'viewer', password: 'Pa55-hidden' }],
  });
  assert.equal(created.status, 201, created.text);
  assert.equal((await tried({ camera: 'locked' })).ok, true);
  assert.equal((await tried({ camera: 'locked', engine: 'ffmpeg' })).ok, true);
  assert.equal((await attempt({ camera: 'locked', role: 'sub' })).status, 422);

  const asked = [];
  const elsewhere = createServer((socket) => {
    t.after(() => socket.destroy());
    socket.setEncoding('utf8').on('data', (text) => asked.push(text)).on('error', () => {});
  });
  await new Promise((done) => elsewhere.listen(0, '127.0.0.1', done));
  const other = await tried({ camera: 'locked', url: `rtsp://127.0.0.1:${elsewhere.address().port}/x` });
  elsewhere.close();
  assert.equal(other.ok, false);
  assert.ok(asked.length > 0);
  assert.ok(!asked.join('').includes('Authorization'), asked.join(''));

  const audit = await gateway.get('/api/v1/audit?limit=1000');
  const entry = audit.json.items.find((item) => item.action === 'camera.test' && item.target_id === created.json.id);
  assert.ok(entry, 'the try of a camera is in the audit trail');
  assert.ok(!audit.text.includes('Pa55'));
});

test('tries are bounded in number and time, and hold up nobody', { timeout: 60_000 }, async (t) => {
  const sockets = [];
  const silent = createServer((socket) => sockets.push(socket.on('error', () => {})));
  await new Promise((done) => silent.listen(0, '127.0.0.1', done));
  t.after(() => {
    silent.close();
    for (const socket of sockets) socket.destroy();
  });
  const url = `rtsp://127.0.0.1:${silent.address().port}/x`;
  const began = Date.now();
  const four = Array.from({ length: 4 }, () => tried({ url }));
  await until(() => sockets.length === 4, 5000, 'four are under way');
  const fifth = await attempt({ url });
  assert.equal(fifth.status, 503);
  assert.ok(fifth.headers.get('retry-after'));
  const asking = Date.now();
  const departments = await gateway.get('/api/v1/departments');
  const saved = await gateway.post('/api/v1/cameras', {
    name: 'meanwhile',
    enabled: false,
    department_id: departments.json.items[0].id,
    streams: [{ role: 'main', url }],
  });
  assert.equal(saved.status, 201);
  assert.ok(Date.now() - asking < 4000, `writes went on: ${Date.now() - asking} ms`);
  for (const result of await Promise.all(four)) assert.equal(result.ok, false);
  assert.ok(Date.now() - began < 10_000, `the tries ended after ${Date.now() - began} ms`);

  // One whose client has gone makes room.
  const gone = new AbortController();
  const left = gateway.fetch('/api/v1/cameras/test', { method: 'POST', json: { url: cameras.url('plain') }, signal: gone.signal });
  gone.abort();
  await left.catch(() => {});
  assert.equal((await tried({ url: cameras.url('plain') })).ok, true);
  assert.ok((await gateway.metric('sharpeyes_ingest_tries_total{result="refused"}')) >= 1);
});
