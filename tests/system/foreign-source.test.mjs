// Streams that libavformat pulls, from servers that we did not write: ffmpeg over RTMP, SRT and HTTP-FLV, HLS and MP4
// files from a web server. And the ways in which such a server could lead the gateway where it may not go.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { clips } from './lib/cameras.mjs';
import { Hls, ListeningFfmpeg, WebServer, freePort } from './lib/foreign.mjs';
import { Gateway, sleep, until } from './lib/gateway.mjs';

const run = promisify(execFile);

let gateway, department, dir;
const servers = [];
const keep = (server) => (servers.push(server), server);

async function addCamera(code, url, more = {}) {
  const answer = await gateway.post('/api/v1/cameras', {
    code,
    name: code,
    department_id: department,
    streams: [{ role: 'main', url, ...more }],
  });
  assert.equal(answer.status, 201, answer.text);
  return answer.json.id;
}

const status = async (id) => {
  const { json } = await gateway.get(`/api/v1/cameras/${id}/status`);
  return { ...json, stream: json.streams[0] };
};

const offlineWith = (id, pattern) =>
  until(
    async () => {
      const now = await status(id);
      return now.state === 'offline' && pattern.test(now.stream.last_error ?? '') && now;
    },
    15_000,
    `offline with ${pattern}`,
  ).catch(async (error) => {
    throw new Error(`${error.message}: ${JSON.stringify(await status(id))}`);
  });

const live = (id, ms = 15_000) =>
  until(async () => {
    const now = await status(id);
    return now.state === 'live' && now.stream.width && now;
  }, ms, 'live').catch(async (error) => {
    throw new Error(`${error.message}: ${JSON.stringify(await status(id))}`);
  });

/** Streams of a file as ffprobe sees them, every frame decoded. */
async function probe(file) {
  const { stdout } = await run('ffprobe', [
    '-v', 'error', '-count_frames', '-of', 'json', '-show_entries', 'stream=codec_name,width,nb_read_frames', file,
  ]);
  return JSON.parse(stdout).streams;
}

before(async () => {
  dir = await clips();
  gateway = await Gateway.start({
    set: { 'ingest.retry_min_ms': 300, 'ingest.retry_max_ms': 2000, 'gateway.log_level': 'debug' },
  });
  department = (await gateway.get('/api/v1/departments')).json.items[0].id;
});

after(async () => {
  for (const server of servers) await server.stop();
  await gateway?.stop();
});

test('RTMP, SRT, HTTP-FLV, HLS and MP4: live, recorded with their sound, back after the server', { timeout: 90_000 }, async () => {
  const ports = [await freePort(), await freePort(), await freePort()];
  const clip = join(dir, 'aac.mp4');
  const began = Date.now();
  const rtmp = keep(new ListeningFfmpeg(clip, '-c', 'copy', '-f', 'flv', '-listen', '1', `rtmp://127.0.0.1:${ports[0]}/live/cam`));
  keep(new ListeningFfmpeg(clip, '-c', 'copy', '-f', 'mpegts', `srt://127.0.0.1:${ports[1]}?mode=listener`));
  keep(new ListeningFfmpeg(clip, '-c', 'copy', '-f', 'flv', '-listen', '1', `http://127.0.0.1:${ports[2]}/live.flv`));
  const hls = keep(
    await Hls.start(clip, {
      handlers: {
        '/moved/x.m3u8': (request, response) => response.writeHead(302, { location: '/lists/master.m3u8' }).end(),
        '/lists/master.m3u8': (request, response) =>
          response.end('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000\n../live.m3u8\n'),
      },
    }),
  );
  const web = keep(await WebServer.start(dir));
  const ids = {
    rtmp: await addCamera('rtmp', `rtmp://127.0.0.1:${ports[0]}/live/cam`),
    srt: await addCamera('srt', `srt://127.0.0.1:${ports[1]}`),
    flv: await addCamera('flv', `http://127.0.0.1:${ports[2]}/live.flv`),
    h265: await addCamera('h265', `${web.url}/h265.mp4`),
    bframes: await addCamera('bframes', `${web.url}/bframes.mp4`),
  };
  await until(() => hls.ready(), 15_000, 'ffmpeg has written HLS');
  ids.hls = await addCamera('hls', hls.url);
  // What a playlist names is meant from where the redirect led.
  const moved = await tried({ url: `${hls.web.url}/moved/x.m3u8` });
  assert.equal(moved.ok, true, JSON.stringify(moved));

  for (const [name, id] of Object.entries(ids)) {
    const { stream } = await live(id);
    assert.equal(stream.codec, name === 'h265' ? 'h265' : 'h264', name);
    assert.equal(stream.width, 320, name);
    assert.equal(stream.height, 180, name);
  }
  await sleep(5000); // the seconds to be measured and played
  for (const [name, id] of Object.entries(ids)) {
    const { state, stream } = await status(id);
    if (!['h265', 'bframes'].includes(name)) {
      assert.equal(state, 'live', name);
      assert.ok(Math.abs(stream.fps - 15) < 3, `${name}: fps ${stream.fps}`);
      assert.equal(stream.audio, 'AAC', name);
    }
    const to = new Date().toISOString();
    const from = new Date(began).toISOString();
    const answer = await gateway.fetch(`/api/v1/cameras/${id}/playback.mp4?from=${from}&to=${to}`);
    assert.equal(answer.status, 200, name);
    const file = join(gateway.dir, `${name}.mp4`);
    writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
    const [video, audio] = await probe(file);
    assert.equal(video.codec_name, name === 'h265' ? 'hevc' : 'h264', name);
    assert.ok(Number(video.nb_read_frames) >= 45, `${name}: ${video.nb_read_frames} frames`);
    if (['h265', 'bframes'].includes(name)) continue;
    assert.equal(audio?.codec_name, 'aac', name);
    assert.ok(Number(audio.nb_read_frames) >= 90, `${name}: ${audio.nb_read_frames} frames of sound`);
  }

  await rtmp.stop();
  await offlineWith(ids.rtmp, /ended the stream|refuses connections/);
  rtmp.start();
  const again = await live(ids.rtmp);
  assert.ok(again.stream.reconnects >= 1);
});

const tried = async (body) => {
  const answer = await gateway.post('/api/v1/cameras/test', body);
  assert.equal(answer.status, 200, answer.text);
  assert.ok(!answer.text.includes('Pa55'), answer.text);
  return answer.json;
};

test('what cannot be taken is said in words, and passwords work where a scheme has them', { timeout: 90_000 }, async () => {
  const files = gateway.dir;
  const make = (...args) => run('ffmpeg', ['-v', 'error', '-y', '-i', join(dir, 'aac.mp4'), '-t', '3', ...args]);
  await make('-an', '-s', '160x90', '-c:v', 'mjpeg', join(files, 'mjpeg.mkv'));
  await make('-c:v', 'copy', '-c:a', 'pcm_alaw', '-ar', '8000', '-ac', '1', join(files, 'alaw.flv'));
  await make('-vn', '-c:a', 'copy', join(files, 'sound.ts'));
  await make('-c', 'copy', '-movflags', '+faststart', join(files, 'short.mp4'));
  const web = keep(
    await WebServer.start(files, {
      '/locked.mp4': (request, response) =>
        request.headers.authorization === `Basic ${Buffer.from('viewer:Pa55-hidden').toString('base64')}`
          ? web.file(files, '/short.mp4', request, response)
          : response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end('no'),
    }),
  );
  for (const [path, reason] of [
    ['/mjpeg.mkv', /no H\.264 or H\.265 video but mjpeg/],
    ['/sound.ts', /no H\.264 or H\.265 video|brings no video/],
    ['/nothing.mp4', /no such stream \(404\)/],
    ['/locked.mp4', /asks for a user name and password/],
  ]) {
    const result = await tried({ url: web.url + path });
    assert.equal(result.ok, false, path);
    assert.match(result.reason, reason);
  }
  const alaw = await tried({ url: `${web.url}/alaw.flv` });
  assert.equal(alaw.ok, true, JSON.stringify(alaw));
  assert.match(alaw.audio, /pcm_alaw cannot be kept/);
  const locked = await tried({ url: `${web.url}/locked.mp4`, username: 'viewer', password: 'Pa55-hidden' });
  assert.equal(locked.ok, true, JSON.stringify(locked));
  const refused = await tried({ url: `${web.url}/locked.mp4`, username: 'viewer', password: 'Pa55-wrong' });
  assert.match(refused.reason, /refuses the user name or password/);

  const port = await freePort();
  keep(
    new ListeningFfmpeg(
      join(dir, 'aac.mp4'), '-c', 'copy', '-f', 'mpegts',
      `srt://127.0.0.1:${port}?mode=listener&passphrase=Pa55-hidden-words`,
    ),
  );
  await sleep(700);
  const wrong = await tried({ url: `srt://127.0.0.1:${port}`, password: 'Pa55-wrong-words' });
  assert.equal(wrong.ok, false);
  assert.match(wrong.reason, /passphrase/);
  const right = await until(async () => {
    const result = await tried({ url: `srt://127.0.0.1:${port}`, password: 'Pa55-hidden-words' });
    return result.ok && result;
  }, 10_000, 'the passphrase is taken');
  assert.equal(right.transport, 'srt');

  // A recording begins again at its end, and is not offline for long.
  const id = await addCamera('short', `${web.url}/short.mp4`);
  await live(id);
  await offlineWith(id, /came to its end/);
  assert.ok((await live(id)).stream.reconnects >= 1);
  assert.ok(!gateway.log.includes('Pa55'));
});

test('a name is resolved, and its server hears it', { timeout: 60_000 }, async () => {
  const web = keep(await WebServer.start(dir));
  const result = await tried({ url: `http://localhost:${web.port}/plain.mp4` });
  assert.equal(result.ok, true, JSON.stringify(result));
  assert.equal(web.asked[0].headers.host, `localhost:${web.port}`);
});

test('https:// is taken with a pinned certificate, and with no other that no CA signed', { timeout: 60_000 }, async () => {
  const key = join(gateway.dir, 'web.key');
  const pem = join(gateway.dir, 'web.pem');
  await run('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=camera',
    '-keyout', key, '-out', pem,
  ]);
  const cert = readFileSync(pem);
  const web = keep(await WebServer.start(dir, {}, { tls: { key: readFileSync(key), cert } }));
  const url = `${web.url}/plain.mp4`;
  const pin = new X509Certificate(cert).fingerprint256;
  const unknown = await tried({ url });
  assert.match(unknown.reason, /not one to trust/);
  const wrong = await tried({ url, tls_fingerprint: pin.replace(/^../, pin.startsWith('00') ? '01' : '00'), username: 'viewer', password: 'Pa55' });
  assert.match(wrong.reason, /not the one whose fingerprint is set/);
  assert.equal(web.asked.length, 0, 'nothing is asked, and no password sent, before the certificate is known');
  const right = await tried({ url, tls_fingerprint: pin });
  assert.equal(right.ok, true, JSON.stringify(right));
  assert.equal(right.transport, 'https');
});

test('threads are bounded: further streams say so, and take the place of one that goes', { timeout: 60_000 }, async () => {
  const web = keep(await WebServer.start(dir));
  const small = await Gateway.start({ set: { 'ingest.av_streams': 1, 'ingest.retry_min_ms': 200 } });
  try {
    const state = async (code) => (await small.get(`/api/v1/cameras/${code}/status`)).json;
    const home = (await small.get('/api/v1/departments')).json.items[0].id;
    const add = (code) =>
      small.post('/api/v1/cameras', {
        code,
        name: code,
        department_id: home,
        streams: [{ role: 'main', url: `${web.url}/plain.mp4` }],
      });
    await add('first');
    await until(async () => (await state('first')).state === 'live', 10_000, 'the first is live');
    await add('second');
    await until(
      async () => /ingest\.av_streams/.test((await state('second')).streams[0].last_error ?? ''),
      10_000,
      'the second has no place',
    );
    assert.ok((await small.metric('sharpeyes_ingest_av_refused_total')) >= 1);
    assert.equal(await small.metric('sharpeyes_ingest_av_threads'), 1);
    await small.patch('/api/v1/cameras/first', { enabled: false });
    await until(async () => (await state('second')).state === 'live', 10_000, 'the second takes its place');
  } finally {
    await small.stop();
  }
});
