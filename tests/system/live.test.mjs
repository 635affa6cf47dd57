// Live bodies as they lie on the wire: chunks, slow and stopped readers, clients that vanish, and how a body ends.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Cameras } from './lib/cameras.mjs';
import { Gateway, sleep, until } from './lib/gateway.mjs';

const run = promisify(execFile);
const scratch = mkdtempSync(join(tmpdir(), 'sharpeyes-live-'));
const FPS = 20;
const STALL_S = 4;
const JUMP = 1.5 / FPS; // from one frame to the next that is not the next one
const OTHERS = 4; // sockets: what fetch() keeps open comes and goes

/* --- a viewer that looks at every byte ------------------------------------------------------------------ */

/** One connection. Takes the framing apart strictly: what is wrong in it is in `bad`. */
class Viewer {
  static async open(gateway, path, { version = '1.1', token = gateway.token } = {}) {
    const viewer = new Viewer();
    const [host, port] = gateway.address.split(':');
    viewer.rest = Buffer.alloc(0);
    viewer.chunked = version === '1.1';
    viewer.body = Buffer.alloc(0);
    viewer.frames = []; // {at, dts in seconds, keyframe}
    viewer.inits = 0;
    // A buffer of its own: the kernel's bytes are taken in small pieces, and none after pause().
    const onread = { buffer: Buffer.alloc(16384), callback: (n, buffer) => viewer.read(n, buffer) };
    viewer.socket = connect({ host, port: Number(port), onread });
    viewer.closed = new Promise((done) => viewer.socket.once('close', done));
    viewer.socket.on('error', () => {});
    viewer.request(path, version, token);
    await until(() => viewer.status, 10_000, `${path} is answered`);
    return viewer;
  }

  request(path, version, token) {
    this.status = undefined;
    this.ended = false;
    this.socket.write(`GET ${path} HTTP/${version}\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  }

  /** False: no more for now; `slow` viewers take one piece each time they are resumed. */
  read(n, buffer) {
    this.take(Buffer.from(buffer.subarray(0, n)));
    return !this.slow;
  }

  take(data) {
    this.rest = Buffer.concat([this.rest, data]);
    if (!this.status) {
      const end = this.rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.rest.subarray(0, end).toString();
      this.status = Number(this.head.split(' ')[1]);
      this.rest = this.rest.subarray(end + 4);
      if (this.status !== 200 || /content-length/i.test(this.head)) return;
    }
    if (/content-length/i.test(this.head)) return;
    if (this.chunked) return this.chunks();
    const bytes = this.rest;
    this.rest = Buffer.alloc(0);
    this.media(bytes);
  }

  chunks() {
    while (!this.ended && !this.bad) {
      const line = this.rest.indexOf('\r\n');
      if (line < 0) return;
      const text = this.rest.subarray(0, line).toString();
      if (!/^[0-9a-fA-F]{1,8}$/.test(text)) return (this.bad = `chunk size "${text.slice(0, 20)}"`);
      const size = parseInt(text, 16);
      if (this.rest.length < line + 2 + size + 2) return;
      if (this.rest.subarray(line + 2 + size, line + 4 + size).toString() !== '\r\n') return (this.bad = 'no CR LF after a chunk');
      this.media(this.rest.subarray(line + 2, line + 2 + size));
      this.rest = this.rest.subarray(line + 4 + size);
      this.ended = size === 0;
    }
  }

  media(bytes) {
    this.body = Buffer.concat([this.body, bytes]);
    while (this.body.length >= 8 && this.body.length >= this.body.readUInt32BE(0)) {
      const size = this.body.readUInt32BE(0);
      const box = this.body.subarray(0, size);
      const type = box.subarray(4, 8).toString();
      if (!['ftyp', 'moov', 'moof', 'mdat'].includes(type)) return (this.bad = `box "${type}"`);
      if (type === 'ftyp') this.inits++;
      if (type === 'moof') this.dts = Number(box.readBigUInt64BE(box.indexOf('tfdt') + 8)) / 90_000;
      if (type === 'mdat') this.frames.push({ at: Date.now(), dts: this.dts, keyframe: hasKeyframe(box.subarray(8)) });
      this.body = this.body.subarray(size);
    }
  }

  /** Longest time from one frame to the next, on the media's clock. */
  gap() {
    return Math.max(...this.frames.slice(1).map((frame, i) => frame.dts - this.frames[i].dts));
  }

  close() {
    this.socket.destroy();
    return this.closed;
  }
}

function hasKeyframe(sample) {
  for (let at = 0; at + 4 < sample.length; at += 4 + sample.readUInt32BE(at)) {
    if ((sample[at + 4] & 0x1f) === 5) return true;
  }
  return false;
}

/* --- the house ------------------------------------------------------------------------------------------ */

let gateway, cameras;

async function drawClip(name, size, rate) {
  await run('ffmpeg', [
    '-v', 'error', '-y', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${FPS}:duration=5,noise=alls=60:allf=t`, '-c:v', 'libx264', '-preset', 'ultrafast',
    '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-x264-params', `keyint=${FPS}:min-keyint=${FPS}:scenecut=0`,
    '-b:v', rate, '-maxrate', rate, '-bufsize', rate, join(scratch, `${name}.mp4`),
  ]);
}

async function addCamera(code, clip, on = gateway) {
  const department = (await on.get('/api/v1/departments')).json.items[0].id;
  const created = await on.post('/api/v1/cameras', {
    code, name: code, department_id: department, streams: [{ role: 'main', url: cameras.url(clip), transport: 'tcp' }],
    record: { mode: 'off', retention_days: 1 },
  });
  assert.equal(created.status, 201, created.text);
  await until(async () => (await on.get(`/api/v1/cameras/${code}/status`)).json.state === 'live', 15_000, `${code} is live`);
  return created.json.id;
}

const streams = (on = gateway) => on.metric('sharpeyes_http_streams');
const ended = (cause) => gateway.metric(`sharpeyes_http_streams_ended_total{cause="${cause}"}`);
const files = () => readdirSync(`/proc/${gateway.process.pid}/fd`).length;

/** No stream is left, nor a socket of one; `open`: what was open before. */
async function allGone(open) {
  let left;
  const gone = async () => {
    left = { streams: await streams(), files: files() };
    return left.streams === 0 && left.files <= open + OTHERS;
  };
  await until(gone, 5000, 'streams and sockets are gone').catch((error) => {
    throw new Error(`${error.message}: ${JSON.stringify({ open, ...left })}`);
  });
}

before(async () => {
  await drawClip('big', '640x360', '16M'); // soon more than sockets hold
  await drawClip('little', '160x120', '100k');
  await drawClip('other', '240x180', '100k');
  cameras = await Cameras.start({ dir: scratch });
  gateway = await Gateway.start({ set: { 'http.stall_s': STALL_S } });
  await addCamera('big', 'big');
  await addCamera('little', 'little');
});

after(async () => {
  await gateway?.stop();
  await cameras?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

test('a new viewer begins with a keyframe, at once', { timeout: 30_000 }, async () => {
  await sleep(1500); // a whole group of pictures
  const asked = Date.now();
  const viewer = await Viewer.open(gateway, '/live/big/main.mp4');
  await until(() => viewer.frames.length > 3 * FPS, 10_000, 'three seconds of frames');
  assert.equal(viewer.bad, undefined);
  assert.equal(viewer.inits, 1);
  assert.ok(viewer.frames[0].keyframe);
  assert.ok(viewer.frames[0].at - asked < 1000, `${viewer.frames[0].at - asked} ms`);
  assert.ok(viewer.gap() < 3 / FPS, `a gap of ${viewer.gap()} s`);
  await viewer.close();
});

test('a body that ends has a last chunk, and its connection serves the next request', { timeout: 30_000 }, async () => {
  await addCamera('short', 'little');
  const first = await Viewer.open(gateway, '/live/short/main.mp4');
  const old = await Viewer.open(gateway, '/live/short/main.mp4', { version: '1.0' });
  assert.match(first.head, /transfer-encoding: chunked/i);
  assert.doesNotMatch(old.head, /chunked/i);
  await until(() => first.frames.length > 5 && old.frames.length > 5, 10_000, 'both have pictures');
  assert.equal((await gateway.delete('/api/v1/cameras/short')).status, 204);
  await until(() => first.ended, 5000, 'the last chunk');
  assert.equal(first.bad, undefined);
  assert.equal(first.rest.length + first.body.length, 0);
  first.request('/healthz', '1.1', '');
  await until(() => first.status, 5000, 'the next answer on the same connection');
  assert.equal(first.status, 200);
  await old.closed; // HTTP/1.0 has no chunks: the close is the end
  assert.equal(old.bad, undefined);
  assert.equal(old.body.length, 0);
  await first.close();
});

test('other parameters end a file, with a last chunk', { timeout: 30_000 }, async () => {
  await addCamera('changing', 'other');
  const viewer = await Viewer.open(gateway, '/live/changing/main.mp4');
  await until(() => viewer.frames.length > 5, 10_000, 'it moves');
  await cameras.order({ do: 'change_params', camera: 'other', clip: 'little' });
  await until(() => viewer.ended, 10_000, 'it has ended');
  assert.equal(viewer.bad, undefined);
  assert.equal(viewer.inits, 1);
  await viewer.close();
  await gateway.delete('/api/v1/cameras/changing');
});

test('signing out ends a live body within 5 s, and well', { timeout: 30_000 }, async () => {
  const token = await gateway.tokenOf('admin', gateway.adminPassword());
  const viewer = await Viewer.open(gateway, '/live/little/main.mp4', { token });
  await until(() => viewer.frames.length > 2, 5000, 'it moves');
  assert.equal((await gateway.delete('/api/v1/sessions/current', { token })).status, 204);
  await until(() => viewer.ended, 5000, 'it has ended');
  assert.equal(viewer.bad, undefined);
  await viewer.close();
});

test('a slow reader jumps to a keyframe, a stopped one is cut, and others do not notice', { timeout: 60_000 }, async () => {
  const skipped = await gateway.metric('sharpeyes_live_skipped_total');
  const stalled = await ended('stalled');
  const open = files();
  const good = await Viewer.open(gateway, '/live/big/main.mp4');
  const slow = await Viewer.open(gateway, '/live/big/main.mp4');
  const stuck = await Promise.all(Array.from({ length: 10 }, () => Viewer.open(gateway, '/live/big/main.mp4')));
  const began = Date.now();
  for (const viewer of stuck) viewer.socket.pause();
  const cut = until(async () => (await ended('stalled')) >= stalled + stuck.length, 10_000, 'the stopped ones are cut');
  const jumped = () => gateway.metric('sharpeyes_live_skipped_total').then((now) => now > skipped);
  for (slow.slow = true; Date.now() - began < 40_000 && !(await jumped()); ) {
    for (let i = 0; i < 20; i++) {
      slow.socket.resume(); // 16 KiB each 20 ms: less than half of what comes
      await sleep(20);
    }
  }
  slow.slow = false;
  slow.socket.resume();
  await cut;
  assert.equal(await ended('stalled'), stalled + stuck.length);
  assert.ok(await jumped());
  await until(() => slow.gap() > JUMP, 5000, 'it has missed frames');
  assert.equal(slow.bad, undefined);
  assert.ok(slow.frames.filter((frame, i) => i > 0 && frame.dts - slow.frames[i - 1].dts > JUMP).every((frame) => frame.keyframe));
  assert.equal(good.bad, undefined);
  assert.ok(good.gap() < 3 / FPS, `a gap of ${good.gap()} s`);
  for (const viewer of stuck) viewer.socket.resume();
  await Promise.all(stuck.map((viewer) => viewer.closed));
  assert.ok(stuck.every((viewer) => !viewer.ended && !viewer.bad), 'cut in the middle, not ended');
  await Promise.all([good.close(), slow.close()]);
  await allGone(open);
});

test('clients that vanish in the middle of a frame leave nothing', { timeout: 60_000 }, async () => {
  const open = files();
  const good = await Viewer.open(gateway, '/live/big/main.mp4');
  for (let round = 0; round < 3; round++) {
    const viewers = await Promise.all(Array.from({ length: 15 }, () => Viewer.open(gateway, '/live/big/main.mp4')));
    for (const viewer of viewers.slice(5)) viewer.socket.pause(); // so that a part of a frame waits for them
    await sleep(700);
    for (const [i, viewer] of viewers.entries()) {
      if (i % 2) viewer.socket.resetAndDestroy?.();
      viewer.socket.destroy();
    }
    await until(async () => (await streams()) === 1, 5000, 'their streams are gone');
  }
  assert.equal(good.bad, undefined);
  assert.ok(good.gap() < 3 / FPS, `a gap of ${good.gap()} s`);
  await good.close();
  await allGone(open);
});

test('SIGTERM with 100 viewers and 10 pages', { timeout: 60_000 }, async () => {
  const other = await Gateway.start();
  await addCamera('little', 'little', other);
  const viewers = await Promise.all(Array.from({ length: 100 }, () => Viewer.open(other, '/live/little/main.mp4')));
  const pages = await Promise.all(Array.from({ length: 10 }, () => other.fetch('/api/v1/live')));
  await until(() => viewers.every((viewer) => viewer.frames.length > 0), 10_000, 'all have pictures');
  assert.equal(await streams(other), 110);
  const began = Date.now();
  assert.deepEqual(await other.stop(), { code: 0, signal: null });
  assert.ok(Date.now() - began < 10_000);
  await Promise.all(viewers.map((viewer) => viewer.closed));
  assert.deepEqual([...new Set(viewers.map((viewer) => viewer.bad))], [undefined]);
  for (const page of pages) await page.body.cancel().catch(() => {});
});
