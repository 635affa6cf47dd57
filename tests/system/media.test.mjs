// From a camera to bytes: live, recordings, playback, pictures, and what outages and kills leave.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Cameras } from './lib/cameras.mjs';
import { Gateway, chunksOf, sleep, until } from './lib/gateway.mjs';

const run = promisify(execFile);
const scratch = mkdtempSync(join(tmpdir(), 'sharpeyes-media-'));
const FPS = 10;

/* --- cameras ---------------------------------------------------------------------------------------- */

/** A clip of ten seconds with a keyframe each second, as the simulator wants it. */
async function drawClip(name, size, encoder = 'libx264') {
  const keys = `keyint=${FPS}:min-keyint=${FPS}:scenecut=0`;
  await run('ffmpeg', [
    '-v', 'error', '-y', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${FPS}:duration=10`,
    '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000:duration=10',
    '-c:v', encoder, '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p',
    ...(encoder === 'libx264' ? ['-x264-params', keys] : ['-x265-params', `${keys}:log-level=none`, '-tag:v', 'hvc1']),
    '-c:a', 'aac', '-b:a', '64k', join(scratch, `${name}.mp4`),
  ]);
}

/* --- a player's view ---------------------------------------------------------------------------------- */

async function probe(file) {
  const { stdout } = await run('ffprobe', [
    '-v', 'error', '-count_frames', '-of', 'json', '-show_entries',
    'format=duration,start_time:stream=codec_type,codec_name,width,height,nb_read_frames', file,
  ]);
  const all = JSON.parse(stdout);
  return { ...all.format, video: all.streams.find((s) => s.codec_type === 'video'),
    audio: all.streams.find((s) => s.codec_type === 'audio') };
}

async function probeBytes(name, bytes) {
  const file = join(scratch, name);
  writeFileSync(file, bytes);
  return probe(file);
}

function filesBelow(dir) {
  return readdirSync(dir, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(dir, entry.name)) : [join(dir, entry.name)]))
    .filter((path) => path.endsWith('.mp4')).sort();
}

/** What a stream's body holds after some time, or once `enough` says so. */
async function take(response, ms, enough = () => false) {
  const chunks = [];
  const reader = response.body.getReader();
  const end = Date.now() + ms;
  for (;;) {
    const left = end - Date.now();
    const part = left > 0 && (await Promise.race([reader.read(), sleep(left)]));
    if (!part || part.done) break;
    chunks.push(Buffer.from(part.value));
    if (enough(chunks)) break;
  }
  await reader.cancel().catch(() => {});
  return Buffer.concat(chunks);
}

/** A live page: its records as they come. */
class Page {
  static async open(gateway) {
    const page = new Page();
    page.gateway = gateway;
    page.abort = new AbortController();
    page.records = [];
    const answer = await gateway.fetch('/api/v1/live', { signal: page.abort.signal });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'application/octet-stream');
    page.done = page.read(answer).catch((error) => assert.match(error.name, /Abort|TypeError/));
    page.id = await until(() => page.records.find((r) => r.kind === 0)?.json.live, 5000, 'the page has an id');
    return page;
  }

  async read(answer) {
    let rest = Buffer.alloc(0);
    for await (const chunk of chunksOf(answer, this.abort.signal)) {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 8 && rest.length >= 8 + rest.readUInt32BE(4)) {
        const size = rest.readUInt32BE(4);
        assert.equal(rest.readUInt16BE(2), 0);
        assert.ok(rest[0] <= 3, `kind ${rest[0]}`);
        const payload = rest.subarray(8, 8 + size);
        this.records.push({
          kind: rest[0], tile: rest[1], at: Date.now(), payload,
          json: rest[0] === 0 ? JSON.parse(payload.toString()) : undefined,
        });
        rest = rest.subarray(8 + size);
      }
    }
  }

  change(json) {
    return this.gateway.post(`/api/v1/live/${this.id}`, json);
  }

  of(tile, kind) {
    return this.records.filter((r) => r.tile === tile && r.kind === kind && !r.json?.live);
  }

  state(tile) {
    return this.of(tile, 0).at(-1)?.json;
  }

  async close() {
    this.abort.abort();
    await this.done;
  }
}

/* --- the house ------------------------------------------------------------------------------------------ */

let gateway, simulator, department, wide;
const iso = (ms) => new Date(ms).toISOString();
const range = (from, to) => `from=${encodeURIComponent(iso(from))}&to=${encodeURIComponent(iso(to))}`;

async function addCamera(code, path, more = {}, subPath = undefined) {
  const streams = [{ role: 'main', url: simulator.url(path), transport: 'tcp' }];
  if (subPath) streams.push({ role: 'sub', url: simulator.url(subPath), transport: 'tcp' });
  const created = await gateway.post('/api/v1/cameras', { code, name: code, department_id: department, streams, ...more });
  assert.equal(created.status, 201, created.text);
  return created.json.id;
}

const stateOf = async (id) => (await gateway.get(`/api/v1/cameras/${id}/status`)).json;
const live = (id) => until(async () => (await stateOf(id)).state === 'live', 15_000, `${id} is live`);

/** Recorded without a break over the last `seconds`. */
async function recorded(id, seconds) {
  return until(async () => {
    const now = Date.now();
    const { json } = await gateway.get(`/api/v1/cameras/${id}/recordings?${range(now - 600_000, now)}`);
    const last = json.ranges.at(-1);
    return last && Date.parse(last.to) - Date.parse(last.from) >= seconds * 1000 && last;
  }, seconds * 1000 + 20_000, `${seconds} s of ${id} are recorded`);
}

before(async () => {
  await drawClip('wide', '640x360');
  await drawClip('wide.sub', '320x180');
  await drawClip('tall', '240x320');
  await drawClip('modern', '320x240', 'libx265');
  simulator = await Cameras.start({ dir: scratch, load: 9, loadClip: 'wide' });
  gateway = await Gateway.start({
    keep: true,
    set: { 'ingest.segment_s': 4, 'ingest.stall_ms': 4000, 'ingest.retry_min_ms': 200, 'ingest.on_demand_linger_s': 1, 'http.stall_s': 2 },
  });
  department = (await gateway.get('/api/v1/departments')).json.items[0].id;
  wide = await addCamera('wide', 'wide', {}, 'wide/sub');
});

after(async () => {
  await gateway?.stop();
  await simulator?.stop();
  rmSync(scratch, { recursive: true, force: true });
  if (gateway) rmSync(gateway.dir, { recursive: true, force: true });
});

test('live bytes play, segments play as they lie, a range plays with its exact length', { timeout: 60_000 }, async () => {
  const id = wide;
  await live(id);
  const before = Date.now();
  const bytes = await take(await gateway.fetch('/live/wide/main.mp4'), 3000);
  const seen = await probeBytes('live.mp4', bytes);
  assert.equal(seen.video.codec_name, 'h264');
  assert.equal(seen.video.width, 640);
  assert.ok(Number(seen.video.nb_read_frames) >= 20, `${seen.video.nb_read_frames} frames in 3 s`);
  assert.ok(Date.now() - before < 10_000);

  const part = await recorded(id, 9);
  const files = filesBelow(join(gateway.dir, 'recordings'));
  assert.ok(files.length >= 2);
  assert.match(files[0], new RegExp(`/${id}/\\d{4}/\\d\\d/\\d\\d/\\d{9}Z\\.mp4$`));
  const first = await probe(files[0]);
  assert.equal(Number(first.start_time), 0);
  assert.equal(first.video.height, 360);
  assert.ok(Number(first.duration) > 3 && Number(first.duration) < 5.5, first.duration);
  assert.ok(Number(first.video.nb_read_frames) >= 30);

  // 1.35 s in, so that it begins between keyframes, over a file's end.
  const from = Date.parse(part.from) + 1350;
  const path = `/api/v1/cameras/${id}/playback.mp4?${range(from, from + 5000)}`;
  const answer = await gateway.fetch(path);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'video/mp4');
  const whole = Buffer.from(await answer.arrayBuffer());
  assert.equal(Number(answer.headers.get('content-length')), whole.length);
  const played = await probeBytes('playback.mp4', whole);
  assert.ok(Math.abs(Number(played.duration) - 5) <= 1 / FPS, played.duration);
  assert.ok(Math.abs(Number(played.video.nb_read_frames) - 50) <= 2, played.video.nb_read_frames);
  assert.equal(played.audio?.codec_name, 'aac');

  // Any part of it, by Range.
  for (const [a, b] of [[0, 99], [whole.length - 500, whole.length - 1], [1000, 40_000]]) {
    const ranged = await gateway.fetch(path, { headers: { range: `bytes=${a}-${b}` } });
    assert.equal(ranged.status, 206);
    assert.equal(ranged.headers.get('content-range'), `bytes ${a}-${b}/${whole.length}`);
    assert.ok(Buffer.from(await ranged.arrayBuffer()).equals(whole.subarray(a, b + 1)));
  }
});

test('what is asked for wrongly is said, and where nothing is there is nothing', { timeout: 30_000 }, async () => {
  const unseen = await addCamera('unseen', 'nowhere');
  for (const query of ['', '?stale=1']) {
    const picture = await gateway.get(`/api/v1/cameras/unseen/snapshot.jpg${query}`);
    assert.equal(picture.status, 503, picture.text);
    assert.ok(Number(picture.headers.get('retry-after')) > 0);
  }
  await gateway.patch(`/api/v1/cameras/${unseen}`, { enabled: false });
  const at = Date.now() - 86_400_000;
  const nothing = await gateway.get(`/api/v1/cameras/wide/playback.mp4?${range(at, at + 5000)}`);
  assert.equal(nothing.status, 404);
  const empty = await gateway.get(`/api/v1/cameras/wide/recordings?${range(at, at + 5000)}`);
  assert.deepEqual(empty.json, { ranges: [], gaps: [] });
  for (const [query, field] of [
    ['', 'from'], ['from=yesterday&to=2026-01-01T00:00:00Z', 'from'],
    ['from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z', 'to'],
    ['from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z', 'to'],
  ]) {
    const answer = await gateway.get(`/api/v1/cameras/wide/playback.mp4?${query}`);
    assert.equal(answer.status, 422, answer.text);
    assert.equal(answer.json.errors[0].field, field);
  }
  assert.equal((await gateway.get('/api/v1/cameras/nobody/snapshot.jpg')).status, 404);
  assert.equal((await gateway.get('/live/nobody/main.mp4')).status, 404);
  assert.equal((await gateway.get('/live/wide/main.mp4', { token: null })).status, 401);
});

test('a picture of the newest keyframe', { timeout: 30_000 }, async () => {
  await live(wide);
  const answer = await gateway.fetch('/api/v1/cameras/wide/snapshot.jpg');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'image/jpeg');
  assert.ok(Date.now() - Date.parse(answer.headers.get('last-modified')) < 5000);
  const seen = await probeBytes('picture.jpg', Buffer.from(await answer.arrayBuffer()));
  assert.equal(seen.video.codec_name, 'mjpeg');
  assert.equal(seen.video.width, 640);
  assert.equal(seen.video.height, 360);
});

test('nine tiles in one body', { timeout: 60_000 }, async () => {
  const ids = [];
  for (let i = 0; i < 9; i++) ids.push(await addCamera(`load-${i}`, `load/${i}`, { record: { mode: 'off' } }));
  const page = await Page.open(gateway);
  const began = Date.now();
  const answer = await page.change({ open: ids.map((camera, tile) => ({ tile, camera, stream: 'auto' })) });
  assert.equal(answer.status, 200, answer.text);
  await until(() => ids.every((_, tile) => page.of(tile, 2).length >= 15), 20_000, 'all nine move');
  assert.ok(Date.now() - began < 10_000);
  for (let tile = 0; tile < 9; tile++) {
    const mine = page.records.filter((r) => r.tile === tile && !r.json?.live && r.kind !== 3);
    const init = mine.findIndex((r) => r.kind === 1);
    assert.equal(mine[init - 1].kind, 0, 'the state comes before the init');
    assert.equal(mine[init - 1].json.state, 'live');
    assert.match(mine[init - 1].json.mime, /^video\/mp4; codecs="avc1\.[0-9a-f]{6}"$/);
    assert.ok(Date.parse(mine[init - 1].json.since) <= Date.now());
    assert.ok(mine.findIndex((r) => r.kind === 2) > init);
    const seen = await probeBytes(`tile${tile}.mp4`,
      Buffer.concat(mine.filter((r) => r.kind === 1 || r.kind === 2).map((r) => r.payload)));
    assert.ok(Number(seen.video.nb_read_frames) >= 15);
  }
  // Closed tiles fall silent; others go on; keep-alives come.
  await page.change({ close: [0, 1] });
  await sleep(300);
  const quiet = page.of(0, 2).length, moving = page.of(5, 2).length;
  await sleep(1500);
  assert.equal(page.of(0, 2).length, quiet);
  assert.ok(page.of(5, 2).length > moving);
  await until(() => page.records.some((r) => r.kind === 3), 5500, 'a keep-alive within 5 s');
  // What is not there, and what is wrong.
  await page.change({ open: [{ tile: 20, camera: 'nobody' }] });
  await until(() => page.state(20)?.state === 'denied' && page.state(20).reason, 3000, 'denied, with the reason');
  assert.equal((await page.change({ open: [{ tile: 64, camera: 'wide' }] })).status, 422);
  assert.equal((await gateway.post('/api/v1/live/nothing', { close: [0] })).status, 404);
  await page.close();
  for (const id of ids) await gateway.request('DELETE', `/api/v1/cameras/${id}`);
});

test('the sub stream where there is one, and words where a browser cannot', { timeout: 60_000 }, async () => {
  const modern = await addCamera('modern', 'modern', { record: { mode: 'off' } });
  await live(modern);
  const page = await Page.open(gateway);
  await page.change({ accepts: ['avc1'], open: [{ tile: 0, camera: 'wide' }, { tile: 1, camera: modern }] });
  await until(() => page.state(0)?.stream === 'sub' && page.of(0, 2).length > 5, 10_000, 'the sub stream is shown');
  await until(() => page.state(1)?.state === 'unsupported', 5000, 'H.265 is unsupported');
  assert.match(page.state(1).reason, /H\.265/);
  assert.equal(page.of(1, 1).length, 0);
  await page.change({ accepts: ['avc1', 'hvc1'], audio: true });
  await until(() => page.of(128, 2).length > 20, 5000, 'audio beside it');
  assert.equal(page.of(128, 0).at(-1).json.mime, 'audio/mp4; codecs="mp4a.40.2"');
  const sound = await probeBytes('sound.mp4',
    Buffer.concat(page.records.filter((r) => r.tile === 128 && (r.kind === 1 || r.kind === 2)).map((r) => r.payload)));
  assert.equal(sound.audio.codec_name, 'aac');
  assert.ok(Number(sound.audio.nb_read_frames) >= 20);
  await until(() => page.of(1, 2).length > 5, 5000, 'H.265 goes to who takes it');
  assert.match(page.state(1).mime, /codecs="hvc1\./);
  const seen = await probeBytes('modern-live.mp4',
    Buffer.concat(page.records.filter((r) => r.tile === 1 && (r.kind === 1 || r.kind === 2)).map((r) => r.payload)));
  assert.equal(seen.video.codec_name, 'hevc');
  await page.close();
  await gateway.request('DELETE', `/api/v1/cameras/${modern}`);
});

test('on demand: pulled while somebody watches, and nothing is recorded', { timeout: 60_000 }, async () => {
  const id = await addCamera('seldom', 'load/1', { record: { mode: 'on_demand' } });
  await until(async () => (await stateOf(id)).state === 'idle', 5000, 'idle while nobody watches');
  const page = await Page.open(gateway);
  await page.change({ open: [{ tile: 0, camera: id }] });
  await until(() => page.of(0, 2).length > 5, 10_000, 'it moves for the page');
  assert.equal((await stateOf(id)).state, 'live');
  await page.close();
  await until(async () => (await stateOf(id)).state === 'idle', 10_000, 'idle again');
  const bytes = await take(await gateway.fetch(`/live/${id}/main.mp4`), 10_000, (chunks) => chunks.length > 10);
  assert.ok((await probeBytes('seldom.mp4', bytes)).video.width === 640);
  const now = Date.now();
  const { json } = await gateway.get(`/api/v1/cameras/${id}/recordings?${range(now - 60_000, now)}`);
  assert.deepEqual(json, { ranges: [], gaps: [] });
  await gateway.request('DELETE', `/api/v1/cameras/${id}`);
});

test('a change of size mid-stream: a new init, and both halves play', { timeout: 60_000 }, async () => {
  const id = await addCamera('changing', 'tall');
  await live(id);
  const page = await Page.open(gateway);
  await page.change({ open: [{ tile: 3, camera: id }] });
  await until(() => page.of(3, 2).length > 10, 10_000, 'it moves');
  await recorded(id, 3);
  const single = gateway.fetch(`/live/${id}/main.mp4`).then(async (answer) => Buffer.from(await answer.arrayBuffer()));
  await sleep(500);
  await simulator.order({ do: 'change_params', camera: 'tall', clip: 'wide' });
  assert.equal((await probeBytes('single.mp4', await single)).video.width, 240); // one file, one codec: it ended
  await until(() => page.of(3, 1).length >= 2, 15_000, 'a second init');
  await until(() => page.records.findLastIndex?.((r) => r.tile === 3 && r.kind === 2) >= 0 &&
    page.of(3, 2).at(-1).at > page.of(3, 1).at(-1).at, 5000, 'it goes on');
  await page.close();
  await sleep(3500);
  const now = Date.now();
  const answer = await gateway.fetch(`/api/v1/cameras/${id}/playback.mp4?${range(now - 60_000, now)}`);
  assert.equal(answer.status, 200);
  const file = join(scratch, 'changing.mp4');
  writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
  const { stdout, stderr } = await run('ffprobe', ['-v', 'error', '-select_streams', 'v', '-show_entries', 'frame=width,height', '-of', 'csv=p=0', file]);
  assert.equal(stderr.trim(), '');
  const sizes = [...new Set(stdout.trim().split('\n').filter(Boolean).map((line) => line.replace(/,$/, '')))];
  assert.deepEqual(sizes, ['240,320', '640,360']);
  await gateway.request('DELETE', `/api/v1/cameras/${id}`);
});

test('a camera whose clock jumps: one recording, on our time', { timeout: 60_000 }, async () => {
  const id = await addCamera('jumping', 'load/0');
  await live(id);
  await sleep(1500);
  const from = Date.now();
  for (const order of [
    { do: 'jump_timestamps', seconds: 3600 }, { do: 'jump_timestamps', seconds: -7200 },
    { do: 'wrap_timestamps', seconds: 1 }, { do: 'reset_ssrc' },
  ]) {
    await simulator.order({ ...order, camera: 'load/0' });
    await sleep(2000);
  }
  const to = Date.now();
  await sleep(2500); // so that it is on the disk
  const { json } = await gateway.get(`/api/v1/cameras/${id}/recordings?${range(from, to)}`);
  assert.equal(json.ranges.length, 1, JSON.stringify(json));
  assert.deepEqual(json.gaps, []);
  const answer = await gateway.fetch(`/api/v1/cameras/${id}/playback.mp4?${range(from, to)}`);
  const file = join(scratch, 'jumping.mp4');
  writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
  const seen = await probe(file);
  assert.ok(Math.abs(Number(seen.duration) - (to - from) / 1000) <= 1 / FPS, seen.duration);
  const { stdout } = await run('ffprobe', ['-v', 'error', '-select_streams', 'v', '-show_entries', 'frame=pts_time', '-of', 'csv=p=0', file]);
  const times = stdout.trim().split('\n').map((line) => parseFloat(line)).filter((t) => !Number.isNaN(t));
  for (let i = 1; i < times.length; i++) {
    const step = times[i] - times[i - 1];
    assert.ok(step > 0 && step < 1, `from ${times[i - 1]} to ${times[i]}`);
  }
  assert.ok(times.length >= ((to - from) / 1000) * FPS * 0.8, `${times.length} frames`);
  await gateway.request('DELETE', `/api/v1/cameras/${id}`);
});

test('a viewer that stops reading is cut, and others do not notice', { timeout: 60_000 }, async () => {
  await live(wide);
  const [host, port] = gateway.address.split(':');
  const socket = connect({ host, port: Number(port) });
  await new Promise((done) => socket.once('connect', done));
  socket.on('error', () => {});
  const closed = new Promise((done) => socket.once('close', () => done(Date.now())));
  socket.write(`GET /live/wide/main.mp4 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${gateway.token}\r\n\r\n`);
  await new Promise((done) => socket.once('data', done));
  socket.pause();
  const cut = () => gateway.metric('sharpeyes_http_streams_ended_total{cause="stalled"}');
  const before = await cut();
  const other = await take(await gateway.fetch('/live/wide/main.mp4'), 8000);
  assert.ok(Number((await probeBytes('beside.mp4', other)).video.nb_read_frames) >= 65);
  assert.equal(await cut(), before + 1);
  socket.resume(); // what its socket holds, then the end
  await closed;
});

test('a camera that goes and comes: offline since, then live, and the gap says why', { timeout: 60_000 }, async () => {
  const id = wide;
  await live(id);
  const page = await Page.open(gateway);
  await page.change({ open: [{ tile: 0, camera: id, stream: 'main' }] });
  await until(() => page.of(0, 2).length > 5, 5000, 'it moves');
  await simulator.order({ do: 'refuse', camera: 'wide', seconds: 3 });
  await until(() => page.state(0).state === 'offline', 15_000, 'offline in the page');
  assert.equal((await gateway.get(`/api/v1/cameras/${id}/snapshot.jpg`)).status, 503);
  const stale = await gateway.fetch(`/api/v1/cameras/${id}/snapshot.jpg?stale=1`);
  assert.equal(stale.status, 200);
  assert.ok(stale.headers.get('last-modified'));
  await stale.arrayBuffer();
  assert.equal((await gateway.get(`/live/${id}/main.mp4`)).status, 503);
  const count = page.of(0, 2).length;
  await until(() => page.state(0).state === 'live', 15_000, 'live again in the page');
  await until(() => page.of(0, 2).length > count + 5, 5000, 'it moves again');
  await page.close();
  await until(async () => {
    const now = Date.now();
    const { json } = await gateway.get(`/api/v1/cameras/${id}/recordings?${range(now - 60_000, now)}`);
    return json.ranges.length >= 2 && json.gaps.some((gap) => gap.cause === 'offline');
  }, 10_000, 'the gap is listed');
});

test('killed with -9 and back: what was written plays and is listed', { timeout: 60_000 }, async () => {
  const id = wide;
  await recorded(id, 6);
  await gateway.kill();
  const killed = Date.now();
  const left = filesBelow(join(gateway.dir, 'recordings')).filter((file) => file.includes(id));
  const sizes = left.map((file) => statSync(file).size);
  gateway.exit = undefined;
  gateway.spawn();
  await gateway.ready(10_000);
  await gateway.signIn();
  for (const file of left) {
    const seen = await probe(file);
    assert.ok(Number(seen.video.nb_read_frames) > 0, file);
  }
  assert.ok(left.every((file, i) => statSync(file).size >= sizes[i] / 2));
  const { json } = await gateway.get(`/api/v1/cameras/${id}/recordings?${range(killed - 60_000, killed)}`);
  const lost = killed - Date.parse(json.ranges.at(-1).to);
  assert.ok(lost <= 1500, `${lost} ms were lost`); // a second, and what of a frame was under way
  await live(id);
  const answer = await gateway.fetch(`/api/v1/cameras/${id}/playback.mp4?${range(killed - 5000, killed)}`);
  const seen = await probeBytes('survived.mp4', Buffer.from(await answer.arrayBuffer()));
  assert.ok(Number(seen.video.nb_read_frames) >= 30);
});
