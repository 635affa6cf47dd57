// Live HLS in a browser, by a player that we did not write: hls.js in Chromium.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { Cameras } from '../system/lib/cameras.mjs';
import { Gateway, until } from '../system/lib/gateway.mjs';
import { launch } from './lib/browser.mjs';

const require = createRequire(new URL('../../api/console/package.json', import.meta.url));
const player = require.resolve('hls.js/dist/hls.min.js');
let cameras, gateway, browser;

before(async () => {
  cameras = await Cameras.start({ config: { cameras: [{ name: 'turns', clip: 'plain' }] } });
  gateway = await Gateway.start();
  const department = (await gateway.get('/api/v1/departments')).json.items[0].id;
  for (const code of ['aac', 'turns']) {
    const added = await gateway.post('/api/v1/cameras', {
      code, name: code, department_id: department, record: { mode: 'off' },
      streams: [{ role: 'main', url: cameras.url(code), transport: 'tcp' }],
    });
    assert.equal(added.status, 201, added.text);
    await until(async () => (await gateway.get(`/api/v1/cameras/${code}/status`)).json.state === 'live', 15_000, `${code} is live`);
  }
  browser = await launch();
}, { timeout: 60_000 });
after(async () => {
  await browser?.close();
  await gateway?.stop();
  await cameras?.stop();
});

/** A page that plays a camera; `seen()` is what it has come to. */
async function play(camera) {
  const context = await browser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  const { json } = await gateway.post('/api/v1/tickets', { camera, action: 'live' });
  await page.goto(`${gateway.url}/healthz`);
  await page.addScriptTag({ path: player });
  await page.evaluate((url) => {
    const video = document.createElement('video');
    window.state = { errors: [] };
    video.muted = true;
    video.addEventListener('error', () => window.state.errors.push(`video: ${video.error?.message}`));
    document.body.append(video);
    const hls = new window.Hls({ lowLatencyMode: false });
    hls.on(window.Hls.Events.ERROR, (_, e) => {
      if (e.fatal) window.state.errors.push(`${e.type} ${e.details} ${e.reason ?? ''}`);
    });
    hls.on(window.Hls.Events.MANIFEST_PARSED, () => void video.play());
    hls.loadSource(url);
    hls.attachMedia(video);
    window.seen = () => ({ ...window.state, time: video.currentTime, width: video.videoWidth,
      frames: video.getVideoPlaybackQuality().totalVideoFrames, sound: video.webkitAudioDecodedByteCount });
  }, `${gateway.url}/live/${camera}/index.m3u8?ticket=${json.ticket}`);
  return { context, seen: () => page.evaluate(() => window.seen()) };
}

/* A page on a busy machine gets to its work late, so what counts is that all of it comes. */
const LATE = 80_000;

test('hls.js plays picture and sound', { timeout: 2 * LATE }, async () => {
  const { context, seen } = await play('aac');
  const first = await until(async () => {
    const now = await seen();
    return now.frames > 0 && now;
  }, LATE, 'a first picture');
  const later = await until(async () => {
    const now = await seen();
    assert.deepEqual(now.errors, []);
    return now.time > first.time + 10 && now.frames > first.frames + 60 && now;
  }, LATE, 'ten seconds of it');
  assert.ok(later.sound > 1000, 'sound is decoded');
  await context.close();
});

test('hls.js goes on when the size changes', { timeout: 3 * LATE }, async () => {
  const { context, seen } = await play('turns');
  await until(async () => (await seen()).time > 0 && (await seen()).width === 320, LATE, 'it plays');
  await cameras.order({ do: 'change_params', camera: 'turns', clip: 'wide' });
  const wide = await until(async () => {
    const now = await seen();
    assert.deepEqual(now.errors, []);
    return now.width === 640 && now;
  }, LATE, 'the other size');
  await until(async () => (await seen()).time > wide.time + 4, LATE, 'it plays on');
  await context.close();
});
