// Cameras that are not ours: Debian's gst-rtsp-server and VLC. What they send must become live bytes that ffprobe
// decodes, a picture, and a segment that plays as it lies.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { clips } from './lib/cameras.mjs';
import { VlcCamera, freePort } from './lib/foreign.mjs';
import { Gateway, program, sleep, until } from './lib/gateway.mjs';

const run = promisify(execFile);

/** Starts a gst-camera; {url, stop()}. */
async function gstCamera(codec, offers = 'both', ...certificate) {
  const child = spawn(join(dirname(program()), 'gst-camera'), [codec, offers, ...certificate], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((done) => child.once('exit', done));
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
  await until(() => out.includes('\n'), 10_000, `gst-camera ${codec} listens`);
  return {
    url: out.trim(),
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Streams of a file as ffprobe sees them, every frame decoded. */
async function probe(file) {
  const { stdout } = await run('ffprobe', [
    '-v', 'error', '-count_frames', '-of', 'json', '-show_entries', 'stream=codec_name,width,height,nb_read_frames', file,
  ]);
  return JSON.parse(stdout).streams;
}

function filesBelow(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

async function liveBytes(gateway, id, seconds) {
  const chunks = [];
  const answer = await gateway.fetch(`/live/${id}/main.mp4`, { signal: AbortSignal.timeout(seconds * 1000) });
  assert.equal(answer.status, 200);
  try {
    for await (const chunk of answer.body) chunks.push(chunk);
  } catch (error) {
    assert.match(error.name, /^(Timeout|Abort)Error$/); // Node 18 says the latter
  }
  return Buffer.concat(chunks);
}

let gateway;
const cameras = {};

before(async () => {
  gateway = await Gateway.start();
  for (const codec of ['h264', 'h265']) cameras[codec] = await gstCamera(codec);
});

after(async () => {
  for (const camera of Object.values(cameras)) await camera.stop();
  await gateway?.stop();
});

for (const [codec, name] of [['h264', 'h264'], ['h265', 'hevc']]) {
  test(`gst-rtsp-server in ${codec}: live, picture, segment`, { timeout: 60_000 }, async () => {
    const departments = await gateway.get('/api/v1/departments');
    const created = await gateway.post('/api/v1/cameras', {
      code: `gst-${codec}`,
      name: `外来摄像机 ${codec}`,
      department_id: departments.json.items[0].id,
      streams: [{ role: 'main', url: cameras[codec].url, transport: 'tcp' }],
    });
    assert.equal(created.status, 201, created.text);
    const { id } = created.json;
    const status = await until(
      async () => {
        const { json } = await gateway.get(`/api/v1/cameras/${id}/status`);
        return json.state === 'live' && json.streams[0].width === 320 && json;
      },
      15_000,
      'the camera is live and its size known',
    );
    assert.equal(status.streams[0].height, 240);

    const bytes = await liveBytes(gateway, id, 3);
    const file = join(gateway.dir, `live-${codec}.mp4`);
    writeFileSync(file, bytes);
    const [stream] = await probe(file);
    assert.equal(stream.codec_name, name);
    assert.ok(Number(stream.nb_read_frames) >= 20, `frames decoded of 3 s at 15 fps: ${stream.nb_read_frames}`);

    const picture = await gateway.fetch(`/api/v1/cameras/${id}/snapshot.jpg`);
    assert.equal(picture.status, 200);
    assert.equal(picture.headers.get('content-type'), 'image/jpeg');
    const jpeg = join(gateway.dir, `picture-${codec}.jpg`);
    writeFileSync(jpeg, Buffer.from(await picture.arrayBuffer()));
    assert.equal((await probe(jpeg))[0].width, 320);

    const recorded = filesBelow(join(gateway.dir, 'recordings', id)).filter((path) => path.endsWith('.mp4'));
    assert.equal(recorded.length, 1);
    assert.ok(statSync(recorded[0]).size > 0);
    const [segment] = await probe(recorded[0]);
    assert.equal(segment.codec_name, name);
    assert.ok(Number(segment.nb_read_frames) >= 15, `frames in the segment: ${segment.nb_read_frames}`);
  });
}

test('over UDP: by choice, and where auto finds nothing else', { timeout: 60_000 }, async () => {
  cameras.udp = await gstCamera('h264', 'udp');
  const departments = await gateway.get('/api/v1/departments');
  const streams = { chosen: [cameras.h264.url, 'udp'], found: [cameras.udp.url, 'auto'] };
  for (const [code, [url, transport]] of Object.entries(streams)) {
    const created = await gateway.post('/api/v1/cameras', {
      code,
      name: code,
      department_id: departments.json.items[0].id,
      streams: [{ role: 'main', url, transport }],
    });
    assert.equal(created.status, 201, created.text);
  }
  for (const code of Object.keys(streams)) {
    const status = async () => (await gateway.get(`/api/v1/cameras/${code}/status`)).json;
    await until(async () => (await status()).state === 'live', 15_000, `${code} is live`);
    const [stream] = (await status()).streams;
    assert.equal(stream.transport, 'udp');
    const file = join(gateway.dir, `live-${code}.mp4`);
    writeFileSync(file, await liveBytes(gateway, code, 2));
    const [seen] = await probe(file);
    assert.ok(Number(seen.nb_read_frames) >= 12, `frames decoded of 2 s at 15 fps: ${seen.nb_read_frames}`);
    const [after] = (await status()).streams;
    // From when it plays: the server may leave out one while it takes a player in.
    assert.deepEqual([after.packets_lost - stream.packets_lost, after.packets_late, after.reconnects], [0, 0, 0]);
    assert.ok(stream.packets_lost < 3, `${stream.packets_lost} packets lost at the start`);
    const { id } = (await gateway.get(`/api/v1/cameras/${code}`)).json;
    const jitter = await gateway.metric(`sharpeyes_camera_jitter_seconds{camera="${id}",stream="main"}`);
    assert.ok(jitter > 0 && jitter < 1, `${jitter} s of jitter`);
  }
});

test('over RTSPS: pinned once its fingerprint was seen', { timeout: 60_000 }, async () => {
  const pem = join(gateway.dir, 'camera.pem');
  await run('openssl', [
    'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=camera', '-keyout', `${pem}.key`, '-out', pem,
  ]);
  writeFileSync(pem, readFileSync(`${pem}.key`), { flag: 'a' });
  const { stdout } = await run('openssl', ['x509', '-in', pem, '-noout', '-fingerprint', '-sha256']);
  const fingerprint = stdout.trim().split('=')[1];

  cameras.tls = await gstCamera('h264', 'both', pem);
  const departments = await gateway.get('/api/v1/departments');
  const stream = { role: 'main', url: cameras.tls.url };
  const created = await gateway.post('/api/v1/cameras', {
    code: 'tls', name: 'tls', department_id: departments.json.items[0].id, streams: [stream],
  });
  assert.equal(created.status, 201, created.text);
  const status = async () => (await gateway.get('/api/v1/cameras/tls/status')).json;
  await until(async () => (await status()).state === 'offline', 15_000, 'offline: nobody vouches for it');
  assert.equal((await status()).streams[0].last_error.slice(-64), fingerprint.replaceAll(':', '').toLowerCase());

  const changed = await gateway.patch('/api/v1/cameras/tls', { streams: [{ ...stream, tls_fingerprint: fingerprint }] });
  assert.equal(changed.status, 200, changed.text);
  await until(async () => (await status()).state === 'live', 15_000, 'live');
  assert.equal((await status()).streams[0].transport, 'tls');
  const file = join(gateway.dir, 'live-tls.mp4');
  writeFileSync(file, await liveBytes(gateway, 'tls', 2));
  const [seen] = await probe(file);
  assert.ok(Number(seen.nb_read_frames) >= 12, `frames decoded of 2 s at 15 fps: ${seen.nb_read_frames}`);
});

test('a foreign camera that goes away is offline, and live again once it is back', { timeout: 60_000 }, async () => {
  const camera = (await gateway.get('/api/v1/cameras/gst-h264')).json;
  await cameras.h264.stop();
  const state = async () => (await gateway.get(`/api/v1/cameras/${camera.id}/status`)).json.state;
  await until(async () => ['offline', 'connecting'].includes(await state()), 15_000, 'not live any more');
  cameras.h264 = await gstCamera('h264');
  const changed = await gateway.patch(`/api/v1/cameras/${camera.id}`, {
    streams: [{ role: 'main', url: cameras.h264.url, transport: 'tcp' }],
  });
  assert.equal(changed.status, 200, changed.text);
  await until(async () => (await state()) === 'live', 15_000, 'live again at its new address');
});

test('VLC as a camera, over UDP: H.264 with AAC and H.265, recorded, and back after it was gone', { timeout: 90_000 }, async () => {
  const dir = await clips();
  const departments = await gateway.get('/api/v1/departments');
  const vlcs = {};
  const ids = {};
  const status = async (name) => (await gateway.get(`/api/v1/cameras/${ids[name]}/status`)).json;
  const began = Date.now();
  try {
    for (const name of ['aac', 'h265']) {
      vlcs[name] = new VlcCamera(join(dir, `${name}.mp4`), await freePort());
      const created = await gateway.post('/api/v1/cameras', {
        code: `vlc-${name}`,
        name: `VLC ${name}`,
        department_id: departments.json.items[0].id,
        streams: [{ role: 'main', url: vlcs[name].url }],
      });
      assert.equal(created.status, 201, created.text);
      ids[name] = created.json.id;
    }
    for (const name of ['aac', 'h265']) {
      await until(async () => (await status(name)).state === 'live', 20_000, `${name} is live`).catch(async (error) => {
        throw new Error(`${error.message}: ${JSON.stringify(await status(name))}\n${vlcs[name].program.log}`);
      });
    }
    await sleep(6000);
    for (const name of ['aac', 'h265']) {
      const [stream] = (await status(name)).streams;
      assert.equal(stream.codec, name === 'aac' ? 'h264' : 'h265');
      assert.equal(stream.width, 320);
      assert.equal(stream.height, 180);
      assert.equal(stream.transport, 'udp');
      assert.ok(Math.abs(stream.fps - 15) < 4, `${name}: fps ${stream.fps}`);
      const answer = await gateway.fetch(
        `/api/v1/cameras/${ids[name]}/playback.mp4?from=${new Date(began).toISOString()}&to=${new Date().toISOString()}`,
      );
      assert.equal(answer.status, 200);
      const file = join(gateway.dir, `vlc-${name}.mp4`);
      writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
      const [video, audio] = await probe(file);
      assert.equal(video.codec_name, name === 'aac' ? 'h264' : 'hevc');
      assert.ok(Number(video.nb_read_frames) >= 45, `${name}: ${video.nb_read_frames} frames`);
      if (name === 'aac') assert.ok(Number(audio?.nb_read_frames) >= 90, `${audio?.nb_read_frames} frames of sound`);
    }

    // The other engine takes RTSP over TCP only, and says so.
    const other = await gateway.post('/api/v1/cameras/test', { url: vlcs.aac.url, engine: 'ffmpeg' });
    assert.match(other.json.reason, /set the engine to auto/);

    await vlcs.aac.stop();
    await until(async () => (await status('aac')).state === 'offline', 20_000, 'VLC is gone');
    vlcs.aac.start();
    await until(async () => (await status('aac')).state === 'live', 20_000, 'VLC is back');
    assert.ok((await status('aac')).streams[0].reconnects >= 1);
  } finally {
    for (const vlc of Object.values(vlcs)) {
      await vlc.stop();
      vlc.clean();
    }
  }
});
