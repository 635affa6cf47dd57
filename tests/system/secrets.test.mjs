// What the gateway keeps of the cameras' secrets: a lost key is told in words, and is no reason to lose the camera.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Cameras } from './lib/cameras.mjs';
import { Gateway, program, until } from './lib/gateway.mjs';

const run = promisify(execFile);

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

const DVR = (password) => `rtsp://127.0.0.1:9/user=admin_password=${password}_channel=1_stream=0.sdp?real_stream`;

test('a password within a URL is kept sealed, and never shown', async () => {
  const add = (url) => g.post('/api/v1/cameras', { name: 'dvr', streams: [{ role: 'main', url }, { role: 'sub', url: DVR('canary-sub') }] });
  const made = await add(cameras.url('plain') + '?usr=a&pwd=canary-query&channel=1');
  assert.equal(made.status, 201, made.text);
  const shown = `${cameras.url('plain')}?usr=a&pwd=***&channel=1`;
  assert.equal(made.json.streams[0].url, shown);
  assert.equal(made.json.streams[1].url, DVR('***'));
  await live(made.json.id); // the whole URL is what it is pulled by
  const path = `/api/v1/cameras/${made.json.id}`;

  // Sent back as it was read, it stays; with the mask elsewhere it leads nowhere.
  const { streams } = (await g.get(path)).json;
  const kept = await g.patch(path, { streams: streams.map(({ role, url }) => ({ role, url })) });
  assert.equal(kept.status, 200, kept.text);
  const moved = await g.patch(path, { streams: [{ role: 'main', url: shown.replace('channel=1', 'channel=2') }] });
  assert.equal(moved.status, 422);
  assert.deepEqual(moved.json.errors.map((e) => e.field), ['streams/0/url']);
  assert.equal((await add(shown)).status, 422);
  const outside = await g.post('/api/v1/cameras', { name: 'x', streams: [{ role: 'main', url: 'rtsp://8.8.8.8/s?pwd=canary-out' }] });
  assert.equal(outside.status, 422);

  // Nor do those that pull, try or import it tell.
  const dead = ['rtsp://127.0.0.1:9/s?pwd=canary-a', 'http://127.0.0.1:9/s.m3u8?token=canary-b'];
  const tries = [];
  for (const url of [...dead, `${cameras.url('plain')}?pwd=canary-c`]) {
    for (const engine of ['auto', 'ffmpeg']) tries.push(await g.post('/api/v1/cameras/test', { url, engine }));
  }
  assert.deepEqual(tries.map(({ json }) => json.ok), [false, false, false, false, true, true]);
  const failing = await Promise.all(
    dead.map((url, i) => g.post('/api/v1/cameras', { code: `dead-${i}`, name: 'dead', streams: [{ role: 'main', url, engine: 'ffmpeg' }] })),
  );
  const offline = async () => (await g.get('/api/v1/cameras?q=dead&state=offline')).json.items.length === dead.length;
  await until(offline, 15_000, 'they are tried, and offline');
  const csv = `code,name,main_url\nin-1,one,${DVR('canary-csv')}\nin-2,two,gopher://h/?pwd=canary-bad\n`;
  const begun = await g.request('POST', '/api/v1/camera-imports', { body: csv, headers: { 'content-type': 'text/csv' } });
  assert.equal(begun.status, 202, begun.text);
  const imported = `/api/v1/camera-imports/${begun.json.id}`;
  await until(async () => (await g.get(imported)).json.state === 'done', 10_000, 'the import is done');
  const told = [...tries, ...failing, await g.get(imported), await g.get(`${imported}/rows`)];
  for (const code of ['dead-0', 'dead-1', 'in-1']) told.push(await g.get(`/api/v1/cameras/${code}/status`));

  // After a restart it is opened again.
  g.keep = true;
  await g.stop();
  g.keep = false;
  await g.restart();
  await live(made.json.id);
  assert.equal((await g.get(path)).json.streams[1].url, DVR('***'));
  const copy = join(g.dir, 'copy');
  await run(program(), ['backup', copy, '--set', `gateway.data_dir=${g.dir}`], { timeout: 30_000 });

  const seen = [...told, made, kept, moved, outside, await g.get(path), await g.get(`${path}/status`), await g.get('/api/v1/cameras')];
  seen.push(await g.get('/api/v1/audit?limit=1000'), await g.get('/metrics'));
  for (const answer of seen) assert.doesNotMatch(answer.text, /canary/);
  assert.doesNotMatch(g.log, /canary/);
  for (const dir of [g.dir, copy]) {
    for (const name of readdirSync(dir, { withFileTypes: true })) {
      if (name.isFile()) assert.ok(!readFileSync(join(dir, name.name), 'latin1').includes('canary'), join(dir, name.name));
    }
  }

  // Another key: offline, in words, until the URL is written again.
  await g.kill();
  writeFileSync(join(g.dir, 'secret.key'), `${randomBytes(32).toString('hex')}\n`);
  await g.restart();
  const lost = await g.get(`${path}/status`);
  assert.equal(lost.json.state, 'offline');
  assert.match(lost.json.streams[0].last_error, /password in its URL does not open/);
  const mended = await g.patch(path, { streams: [{ role: 'main', url: `${cameras.url('plain')}?pwd=canary-new` }] });
  assert.equal(mended.status, 200, mended.text);
  await live(made.json.id);
});

test('a camera that ingest.allow shuts out later is offline, with the reason', async () => {
  const made = await g.post('/api/v1/cameras', { name: 'shut out', streams: [{ role: 'main', url: cameras.url('plain') }] });
  const path = `/api/v1/cameras/${made.json.id}`;
  await g.kill();
  const allowed = g.set['ingest.allow'];
  g.set['ingest.allow'] = '10.0.0.0/8';
  await g.restart();
  const { json } = await g.get(`${path}/status`);
  assert.equal(json.state, 'offline');
  assert.match(json.streams[0].last_error, /not in a network that ingest\.allow lists/);
  await g.kill();
  g.set['ingest.allow'] = allowed;
  await g.restart();
  await live(made.json.id);
  assert.equal((await g.delete(path)).status, 204);
});

test('what an earlier version kept in the clear is sealed at the start', async () => {
  const made = await g.post('/api/v1/cameras', { name: 'old', streams: [{ role: 'main', url: DVR('x') }] });
  await g.kill();
  const old = DVR('canary-old');
  const sql = `UPDATE camera_stream SET url = '${old}', url_sealed = NULL WHERE camera_id = '${made.json.id}'`;
  await run('sqlite3', [join(g.dir, 'sharpeyes.db'), sql]);
  await g.restart();
  assert.equal((await g.get(`/api/v1/cameras/${made.json.id}`)).json.streams[0].url, DVR('***'));
  await g.kill();
  const { stdout } = await run('sqlite3', [join(g.dir, 'sharpeyes.db'), 'PRAGMA wal_checkpoint(TRUNCATE); SELECT url FROM camera_stream']);
  assert.doesNotMatch(stdout, /canary/);
  assert.ok(!readFileSync(join(g.dir, 'sharpeyes.db'), 'latin1').includes('canary'), 'nothing of it is left in the file');
  await g.restart();
});
