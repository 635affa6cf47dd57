// Live HLS from outside: the playlist and its parts, what others' players make of it, and that it costs nothing
// when nobody asks.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Cameras } from './lib/cameras.mjs';
import { Gateway, sleep, until } from './lib/gateway.mjs';

const run = promisify(execFile);
const scratch = mkdtempSync(join(tmpdir(), 'sharpeyes-hls-'));
let gateway, cameras, department;

before(async () => {
  cameras = await Cameras.start({ config: { cameras: [{ name: 'turns', clip: 'plain' }, { name: 'falls', clip: 'plain' }] } });
  gateway = await Gateway.start({ set: { 'http.hls_idle_s': 3, 'http.stall_s': 4, 'ingest.on_demand_linger_s': 1, 'ingest.retry_max_ms': 500 } });
  department = (await gateway.get('/api/v1/departments')).json.items[0].id;
  for (const clip of ['plain', 'aac', 'h265', 'bframes', 'turns', 'falls']) await addCamera(clip, clip);
  await addCamera('asleep', 'plain', { record: { mode: 'on_demand' } });
  for (const code of ['plain', 'aac', 'h265', 'bframes', 'turns', 'falls']) await live(code);
});
after(async () => {
  await gateway?.stop();
  await cameras?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

async function addCamera(code, path, more = {}) {
  const streams = [{ role: 'main', url: cameras.url(path), transport: 'tcp' }];
  if (path === 'plain') streams.push({ role: 'sub', url: cameras.url('plain/sub'), transport: 'tcp' });
  const added = await gateway.post('/api/v1/cameras', {
    code, name: code, department_id: department, record: { mode: 'off' }, streams, ...more,
  });
  assert.equal(added.status, 201, added.text);
  return added.json.id;
}

const stateOf = async (code) => (await gateway.get(`/api/v1/cameras/${code}/status`)).json.state;
const live = (code) => until(async () => (await stateOf(code)) === 'live', 15_000, `${code} is live`);
const ticketFor = async (camera) => (await gateway.post('/api/v1/tickets', { camera, action: 'live' })).json.ticket;
const sessions = () => gateway.metric('sharpeyes_hls_sessions');
const nobody = () => until(async () => (await sessions()) === 0, 8000, 'nothing is made any more');

/** A playlist, read as RFC 8216 says, and checked on the way. */
function parse(text) {
  const lines = text.split('\n');
  assert.equal(lines[0], '#EXTM3U');
  assert.equal(lines.at(-1), '', 'the last line ends');
  const list = { segments: [] };
  let next = {}, map, discontinuities;
  for (const line of lines.slice(1, -1)) {
    const [, tag, value] = /^#(EXT[A-Z0-9-]*)(?::(.*))?$/.exec(line) ?? [];
    if (!tag) {
      assert.doesNotMatch(line, /^#|^\s*$/, `not a tag of ours: ${line}`);
      assert.ok(map && next.seconds !== undefined, 'a segment has its EXTINF and its EXT-X-MAP before it');
      list.segments.push({ ...next, uri: line, map, discontinuities, number: list.sequence + list.segments.length });
      next = {};
    } else if (tag === 'EXTINF') {
      next.seconds = Number(/^(\d+\.\d{3}),$/.exec(value)[1]);
      assert.ok(Math.round(next.seconds) <= list.target, `${next.seconds} s within the target`);
    } else if (tag === 'EXT-X-MAP') map = /^URI="([^"]+)"$/.exec(value)[1];
    else if (tag === 'EXT-X-PROGRAM-DATE-TIME') next.at = Date.parse(value);
    else if (tag === 'EXT-X-DISCONTINUITY') { next.discontinuity = true; discontinuities++; }
    else if (tag === 'EXT-X-VERSION') assert.equal(value, '7');
    else if (tag === 'EXT-X-TARGETDURATION') list.target = Number(value);
    else if (tag === 'EXT-X-MEDIA-SEQUENCE') list.sequence = Number(value);
    else if (tag === 'EXT-X-DISCONTINUITY-SEQUENCE') discontinuities = Number(value);
    else assert.fail(`unexpected: ${line}`);
  }
  assert.equal(list.target, 4);
  assert.ok(Number.isSafeInteger(list.sequence) && list.segments.length >= 1);
  return list;
}

async function playlist(path, options) {
  const answer = await gateway.get(path, options);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers.get('content-type'), 'application/vnd.apple.mpegurl');
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  return parse(answer.text);
}

async function part(base, uri, options) {
  const answer = await gateway.fetch(new URL(uri, new URL(base, gateway.url)), options);
  const bytes = Buffer.from(await answer.arrayBuffer());
  return { status: answer.status, headers: answer.headers, bytes };
}

/** Boxes of one level. */
function boxes(bytes) {
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    assert.ok(size >= 8 && at + size <= bytes.length, 'boxes fill the file');
    found.push({ type: bytes.toString('latin1', at + 4, at + 8), bytes: bytes.subarray(at + 8, at + size) });
    at += size;
  }
  return found;
}

async function framesOf(name, ...pieces) {
  const file = join(scratch, `${name}.mp4`);
  writeFileSync(file, Buffer.concat(pieces));
  const { stdout } = await run('ffprobe', ['-v', 'error', '-of', 'json', '-show_entries',
    'packet=stream_index,pts_time,dts_time,flags:stream=index,codec_name,codec_type,width', file], { timeout: 30_000 });
  return JSON.parse(stdout);
}

test('nothing is made while nobody asks, the first playlist is there at once, and it ends', async () => {
  await nobody();
  const made = await gateway.metric('sharpeyes_hls_segments_total');
  await sleep(1500);
  assert.equal(await gateway.metric('sharpeyes_hls_segments_total'), made);
  const times = [];
  for (const code of ['plain', 'aac', 'h265', 'bframes']) {
    await until(async () => (await stateOf(code)) === 'live', 15_000, code);
    const began = performance.now();
    const list = await playlist(`/live/${code}/index.m3u8`);
    times.push(performance.now() - began);
    const { bytes } = await part(`/live/${code}/`, list.segments[0].map);
    const first = await part(`/live/${code}/`, list.segments[0].uri);
    assert.equal(first.status, 200);
    const { packets } = await framesOf(`first-${code}`, bytes, first.bytes);
    assert.match(packets[0].flags, /^K/, 'begins with a keyframe');
  }
  times.sort((a, b) => a - b);
  assert.ok(times[1] <= 100, `the first playlists took ${times.map(Math.round)} ms`);
  assert.ok((await sessions()) >= 4);
  await nobody();
  assert.equal(await gateway.metric('sharpeyes_hls_bytes'), 0);
});

async function slides() {
  const base = '/live/aac/';
  const seen = new Map();
  let list, last;
  for (const end = Date.now() + 24_000; Date.now() < end; await sleep(700)) {
    list = await playlist(`${base}index.m3u8`);
    if (last) {
      assert.ok(list.sequence >= last.sequence);
      for (const segment of list.segments) {
        const before = last.segments.find((s) => s.number === segment.number);
        if (before) assert.deepEqual(segment, before, 'what was told stays so');
      }
      assert.ok(list.segments.at(-1).number >= last.segments.at(-1).number);
      if (list.sequence > last.sequence) {
        assert.ok(list.segments.reduce((sum, s) => sum + s.seconds, 0) >= 12, 'three target durations are left');
      }
    }
    for (const segment of list.segments) {
      if (!seen.has(segment.number)) seen.set(segment.number, { ...segment, ...(await part(base, segment.uri)) });
    }
    last = list;
  }
  assert.ok(list.sequence > Math.min(...seen.keys()), 'the window moved');
  assert.ok(list.segments.length >= 6 && list.segments.length <= 10, `${list.segments.length} segments`);
  const all = [...seen.values()].sort((a, b) => a.number - b.number);
  all.forEach((segment, i) => assert.equal(segment.number, all[0].number + i, 'without a gap'));
  for (const segment of all) {
    assert.equal(segment.headers.get('content-type'), 'video/mp4');
    assert.match(segment.headers.get('cache-control'), /private/);
    const types = boxes(segment.bytes).map((b) => b.type);
    assert.deepEqual(types, types.map((_, i) => (i % 2 ? 'mdat' : 'moof')));
    assert.ok(Math.abs(segment.at + segment.seconds * 1000 - (all[segment.number - all[0].number + 1]?.at ?? segment.at + segment.seconds * 1000)) < 20);
    assert.ok(Math.abs(segment.at - Date.now()) < 40_000, 'by the wall clock');
  }
  assert.equal((await part(base, all.at(-12)?.uri ?? all[0].uri)).status, 200, 'just out of the window');
  const init = await part(base, all[0].map);
  assert.deepEqual(boxes(init.bytes).map((b) => b.type), ['ftyp', 'moov']);

  const { streams, packets } = await framesOf('whole', init.bytes, ...all.map((s) => s.bytes));
  assert.deepEqual(streams.map((s) => s.codec_name), ['h264', 'aac']);
  const seconds = all.reduce((sum, s) => sum + s.seconds, 0);
  const video = packets.filter((p) => p.stream_index === 0).map((p) => Number(p.dts_time));
  const audio = packets.filter((p) => p.stream_index === 1).map((p) => Number(p.dts_time));
  video.forEach((t, i) => assert.ok(i === 0 || (t - video[i - 1] > 0.05 && t - video[i - 1] < 0.08), `frame ${i} at ${t}`));
  assert.ok(Math.abs(video.length - seconds * 15) <= 2, `${video.length} frames in ${seconds} s: none is lost`);
  audio.forEach((t, i) => assert.ok(i === 0 || (t > audio[i - 1] && t - audio[i - 1] < 0.07), `sound ${i} at ${t}`));
  assert.ok(Math.abs(audio[0] - video[0]) < 0.1, 'sound from the first picture on');
  assert.ok(video.at(-1) - audio.at(-1) < 0.6);

  const some = await part(base, all[1].uri, { headers: { range: 'bytes=100-299' } });
  assert.equal(some.status, 206);
  assert.equal(some.headers.get('content-range'), `bytes 100-299/${all[1].bytes.length}`);
  assert.deepEqual(some.bytes, all[1].bytes.subarray(100, 300));
}

async function littleMemory() {
  const other = await Gateway.start({ set: { 'http.hls_bytes': 1 << 20 } });
  try {
    for (const clip of ['wide', 'plain']) {
      const streams = [{ role: 'main', url: cameras.url(clip), transport: 'tcp' }];
      assert.equal((await other.post('/api/v1/cameras', { code: clip, name: clip, record: { mode: 'off' }, streams })).status, 201);
    }
    const held = () => other.metric('sharpeyes_hls_bytes');
    let most = 0;
    await until(async () => {
      assert.equal((await other.get('/live/wide/index.m3u8')).status, 200);
      most = Math.max(most, await held());
      return (await other.metric('sharpeyes_hls_trimmed_total')) > 0;
    }, 40_000, 'segments are given up');
    const list = parse((await other.get('/live/wide/index.m3u8')).text);
    assert.ok(list.segments.length >= 3, `${list.segments.length} are left`);
    assert.equal((await other.fetch(`/live/wide/${list.segments[0].uri}`)).status, 200);
    assert.equal((await other.get('/live/plain/index.m3u8')).status, 200, 'there is room for another');
    assert.ok(most < 3 << 20, `${most} bytes`);
  } finally {
    await other.stop();
  }
}

test('over time', { concurrency: 2 }, async (t) => {
  await Promise.all([
    t.test('a playlist slides, its parts fit together, and old ones can be had for a moment', slides),
    t.test('with little memory playlists keep three segments', littleMemory),
  ]);
});

test('main and sub streams, and what is not there', async () => {
  await until(async () => (await gateway.get('/api/v1/cameras/plain/status')).json.streams.every((s) => s.state === 'live'),
    15_000, 'both streams are live');
  const widths = [];
  for (const path of ['/live/plain/index.m3u8', '/live/plain/index.m3u8?stream=sub', '/live/plain/sub/index.m3u8',
    '/live/plain/main/index.m3u8']) {
    const { segments } = await playlist(path);
    const answer = await part(path, segments[0].map);
    assert.equal(answer.status, 200, `${path} ${segments[0].map}`);
    const { streams } = await framesOf('sub', answer.bytes, (await part(path, segments[0].uri)).bytes);
    widths.push(streams[0].width);
  }
  assert.equal(widths[0], widths[3]);
  assert.equal(widths[1], widths[2]);
  for (const [path, status] of [['/live/nowhere/index.m3u8', 404], ['/live/aac/sub/index.m3u8', 404],
    ['/live/plain/index.m3u8?stream=third', 422], ['/live/plain/main/1.m4s', 404], ['/live/plain/main/x.m4s', 404],
    ['/live/plain/main/..%2f..', 404], [`/live/plain/main/${'9'.repeat(40)}.m4s`, 404]]) {
    assert.equal((await gateway.get(path)).status, status, path);
  }
});

test('by ticket, carried into every part; not by strangers; one entry in the audit trail', async () => {
  const entries = async () => (await gateway.get('/api/v1/audit?action=camera.live&limit=1000')).json.items
    .filter((e) => e.detail?.over === 'hls').length;
  await nobody();
  const before = await entries();
  const ticket = await ticketFor('plain');
  const anonymous = { token: null };
  const list = await playlist(`/live/plain/index.m3u8?ticket=${ticket}`, anonymous);
  for (const uri of [list.segments[0].map, list.segments[0].uri]) {
    assert.ok(uri.endsWith(`?ticket=${ticket}`), uri);
    assert.equal((await part('/live/plain/', uri, anonymous)).status, 200);
    assert.equal((await part('/live/plain/', uri.replace(/\?.*/, ''), anonymous)).status, 401);
  }
  for (let i = 0; i < 3; i++) await playlist(`/live/plain/index.m3u8?ticket=${ticket}`, anonymous);
  await until(async () => (await entries()) === before + 1, 3000, 'one viewing, one entry');
  assert.equal((await gateway.get(`/live/aac/index.m3u8?ticket=${ticket}`, anonymous)).status, 401, 'for one camera');
  assert.equal((await gateway.get('/live/plain/index.m3u8', anonymous)).status, 401);
  assert.doesNotMatch((await gateway.get('/live/plain/index.m3u8?ticket=a%22b%0A')).text, /ticket/);

  const other = await gateway.post('/api/v1/departments', { code: 'hls-other', name: 'Other', kind: 'traffic' });
  assert.equal(other.status, 201, other.text);
  const user = await gateway.post('/api/v1/users', {
    username: 'hls-guest', display_name: 'Guest', password: 'a long enough one', department_id: other.json.id, roles: ['department_admin'],
  });
  assert.equal(user.status, 201, user.text);
  const token = await gateway.tokenOf('hls-guest', 'a long enough one');
  for (const path of ['/live/plain/index.m3u8', `/live/plain/${list.segments[0].uri.replace(/\?.*/, '')}`]) {
    const refused = await gateway.get(path, { token });
    assert.ok([403, 404].includes(refused.status), `${path}: ${refused.status}`);
  }
});

test('a session that is ended sees no further part', async () => {
  const user = await gateway.post('/api/v1/users', {
    username: 'hls-leaver', display_name: 'Leaver', password: 'a long enough one', department_id: department, roles: ['operator'],
  });
  assert.equal(user.status, 201, user.text);
  const token = await gateway.tokenOf('hls-leaver', 'a long enough one');
  const ticket = (await gateway.post('/api/v1/tickets', { camera: 'plain', action: 'live' }, { token })).json.ticket;
  const path = `/live/plain/index.m3u8?ticket=${ticket}`;
  assert.equal((await gateway.get(path, { token: null })).status, 200);
  assert.equal((await gateway.delete('/api/v1/sessions/current', { token })).status, 204);
  assert.equal((await gateway.get(path, { token: null })).status, 401);
});

test('another size is another init behind a discontinuity, and both halves play', async () => {
  const base = '/live/turns/';
  const first = await playlist(`${base}index.m3u8`);
  await sleep(2500);
  await cameras.order({ do: 'change_params', camera: 'turns', clip: 'wide' });
  const list = await until(async () => {
    const now = await playlist(`${base}index.m3u8`);
    const at = now.segments.findIndex((s) => s.discontinuity);
    return at > 0 && now.segments.length > at + 1 && now;
  }, 15_000, 'a discontinuity and two segments behind it');
  const at = list.segments.findIndex((s) => s.discontinuity);
  assert.notEqual(list.segments[at].map, list.segments[0].map);
  assert.equal(list.segments[at].discontinuities, first.segments[0].discontinuities + 1);
  for (const [i, width] of [[0, 320], [at, 640]]) {
    const { streams } = await framesOf(`half-${i}`, (await part(base, list.segments[i].map)).bytes, (await part(base, list.segments[i].uri)).bytes);
    assert.equal(streams[0].width, width);
  }
  await cameras.order({ do: 'change_params', camera: 'turns', clip: 'plain' });
  const gone = await until(async () => {
    const now = await playlist(`${base}index.m3u8`);
    return now.sequence > list.segments[at].number && now;
  }, 40_000, 'the discontinuity leaves the window');
  assert.ok(gone.segments[0].discontinuities > first.segments[0].discontinuities, 'and is counted');
});

test('an outage is a discontinuity; while it lasts nobody new is shown old pictures', async () => {
  const watcher = { token: gateway.token };
  await playlist('/live/falls/index.m3u8', watcher);
  await cameras.order({ do: 'refuse', camera: 'falls', seconds: 0 });
  await cameras.order({ do: 'drop', camera: 'falls' });
  await until(async () => (await stateOf('falls')) === 'offline', 15_000, 'the camera is offline');
  assert.equal((await gateway.get('/live/falls/index.m3u8', watcher)).status, 200, 'who watches keeps the playlist');
  const guest = await gateway.tokenOf('admin', gateway.adminPassword());
  const refused = await gateway.get('/live/falls/index.m3u8', { token: guest });
  assert.equal(refused.status, 503);
  assert.match(refused.json.detail, /offline since \d{4}-/);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  await cameras.order({ do: 'clear', camera: 'falls' });
  await until(async () => {
    const list = await playlist('/live/falls/index.m3u8', watcher);
    return list.segments.findIndex((s) => s.discontinuity) > 0;
  }, 20_000, 'it goes on behind a discontinuity');
});

test('an on-demand camera is pulled for it, waited for, and let go', async () => {
  assert.equal(await stateOf('asleep'), 'idle');
  const list = await playlist('/live/asleep/index.m3u8');
  assert.ok(list.segments.length >= 1);
  assert.equal(await stateOf('asleep'), 'live');
  await until(async () => (await stateOf('asleep')) === 'idle', 10_000, 'it is let go');
});

test('a camera that never answers: the wait is bounded, holds no worker, and ends with a 503', async () => {
  const mute = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise((done) => mute.listen(0, '127.0.0.1', done));
  const added = await gateway.post('/api/v1/cameras', {
    code: 'mute', name: 'mute', department_id: department, record: { mode: 'on_demand' },
    streams: [{ role: 'main', url: `rtsp://127.0.0.1:${mute.address().port}/x`, transport: 'tcp' }],
  });
  assert.equal(added.status, 201, added.text);
  const began = performance.now();
  const waiting = Array.from({ length: 30 }, () => gateway.get('/live/mute/index.m3u8'));
  await until(async () => (await gateway.metric('sharpeyes_http_waiting')) >= 20, 3000, 'they wait');
  assert.ok(performance.now() - began < 3000, 'others are answered meanwhile');
  for (const answer of await Promise.all(waiting)) {
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers.get('retry-after')) >= 1);
  }
  assert.ok(performance.now() - began < 12_000);
  const cut = gateway.get('/live/mute/index.m3u8').catch(() => {});
  assert.equal((await gateway.delete(`/api/v1/cameras/${added.json.id}`)).status, 204);
  await cut;
  mute.close();
});

test('twenty viewers cost one muxing; one who stops reading holds up nobody and is cut', async () => {
  await nobody();
  const made = await gateway.metric('sharpeyes_hls_segments_total');
  const cut = () => gateway.metric('sharpeyes_http_connections_cut_total{cause="stalled"}');
  const slow = connect(Number(gateway.address.split(':').at(-1)), '127.0.0.1');
  const ticket = await ticketFor('plain');
  const began = Date.now();
  const viewer = async () => {
    const read = new Set();
    while (Date.now() - began < 6000) {
      for (const { uri } of (await playlist('/live/plain/index.m3u8')).segments) {
        if (read.has(uri)) continue;
        read.add(uri);
        assert.equal((await part('/live/plain/', uri)).status, 200);
      }
      await sleep(500);
    }
    return read.size;
  };
  const first = await playlist('/live/plain/index.m3u8');
  const request = `GET /live/plain/${first.segments[0].uri}?ticket=${ticket} HTTP/1.1\r\nHost: x\r\n\r\n`;
  slow.on('error', () => {}).pause();
  slow.write(request.repeat(4000)); // far more than sockets hold
  const read = await Promise.all(Array.from({ length: 20 }, viewer));
  const after = (await gateway.metric('sharpeyes_hls_segments_total')) - made;
  assert.ok(Math.min(...read) >= 3, `each read some: ${read}`);
  assert.ok(after <= 7, `${after} segments for all of them`);
  await until(async () => (await cut()) === 1, 10_000, 'who does not read is cut');
  slow.destroy();
});

/* --- clients that we did not write ----------------------------------------------------------------------- */

/** Ten seconds and more of each codec. */
async function ffmpegPlays() {
  await Promise.all(['aac', 'h265', 'bframes'].map(async (code) => {
    const url = `${gateway.url}/live/${code}/index.m3u8?ticket=${await ticketFor(code)}`;
    const { stdout, stderr } = await run('ffmpeg', ['-v', 'warning', '-xerror', '-nostats', '-progress', '-', '-i', url,
      '-t', '10', '-fps_mode', 'passthrough', '-f', 'null', '-'], { timeout: 60_000 });
    const frames = Number(stdout.match(/frame=\s*(\d+)/g).at(-1).split('=')[1]);
    assert.ok(frames >= 148 && frames <= 152, `${code}: ${frames} frames in 10 s of 15 a second`);
    /* It reads the same init again with each reload, and says so. */
    const said = stderr.split('\n').filter((l) => l && !/duplicated MOOV|message repeated/.test(l));
    assert.deepEqual(said, [], `${code}: ffmpeg has nothing to say`);
  }));
}

/** It, and main.mp4. */
async function vlcPlays() {
  const play = async (path) => {
    const file = join(tmpdir(), `sharpeyes-vlc-${process.pid}-${path}.ts`);
    const url = `${gateway.url}/live/aac/${path}?ticket=${await ticketFor('aac')}`;
    const as = process.getuid() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
    const args = [...as, 'cvlc', '-I', 'dummy', '--no-dbus', '--sout', `#std{access=file,mux=ts,dst=${file}}`, url];
    const vlc = spawn(args[0], args.slice(1), { stdio: 'ignore', env: { ...process.env, HOME: '/nonexistent' } });
    const ended = new Promise((done) => vlc.once('exit', done));
    assert.equal(await Promise.race([ended.then(() => 'ended'), sleep(18_000)]), undefined, `${path}: it plays on`);
    vlc.kill('SIGTERM');
    await ended;
    const { stdout } = await run('ffprobe', ['-v', 'error', '-count_packets', '-of', 'json', '-show_entries',
      'stream=codec_name,nb_read_packets,duration', file], { timeout: 30_000 });
    rmSync(file);
    const { streams } = JSON.parse(stdout);
    const video = streams.find((s) => s.codec_name === 'h264');
    assert.ok(Number(video.duration) >= 10, `${path}: ${video.duration} s`);
    assert.ok(Number(video.nb_read_packets) >= Number(video.duration) * 15 - 2, `${path}: ${video.nb_read_packets} frames`);
    if (path === 'index.m3u8') assert.ok(streams.some((s) => s.codec_name === 'aac'), 'with sound');
  };
  await Promise.all(['index.m3u8', 'main.mp4'].map(play));
}

async function gstreamerPlays() {
  const url = `${gateway.url}/live/h265/index.m3u8?ticket=${await ticketFor('h265')}`;
  const args = ['-v', 'playbin', `uri=${url}`, 'video-sink=fakesink silent=false', 'audio-sink=fakesink'];
  const gst = spawn('gst-launch-1.0', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((done) => gst.once('close', done));
  let shown = 0;
  gst.stdout.setEncoding('utf8').on('data', (text) => (shown += text.split('chain').length - 1));
  try {
    await until(() => shown >= 150, 40_000, 'GStreamer shows 150 frames');
  } finally {
    gst.kill('SIGKILL');
    await ended;
  }
}

test('ffmpeg, VLC and GStreamer play it', async () => {
  await Promise.all([ffmpegPlays(), vlcPlays(), gstreamerPlays()]);
});
