// Sixty-four cameras in one page over HTTP/1.1: all of them move soon, the gateway answers meanwhile, and a page that
// nobody looks at costs nothing until somebody does again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Cameras } from '../system/lib/cameras.mjs';
import { Gateway, sleep, until } from '../system/lib/gateway.mjs';
import { consoleDir, countFrames, launch, openPage, setHidden, signIn } from './lib/browser.mjs';

const TILES = 64;
const DESK = { viewport: { width: 1920, height: 1080 }, locale: 'en' };
const PHONE = { viewport: { width: 390, height: 844 }, locale: 'zh-CN' };

let cameras, gateway, browser, desk;
const ids = [];

/** Runs in the page: a wall of 64, and when each tile showed its second picture. */
function prepare() {
  // A minute is too long for a test to sit through.
  const { setTimeout } = window;
  window.setTimeout = (fn, ms, ...args) => setTimeout(fn, ms === 60_000 ? 6_000 : ms, ...args);
  localStorage.setItem('sharpeyes.wall', JSON.stringify({ layout: 64, slots: [] }));
  const seen = new WeakSet();
  window.moved = new Map();
  new MutationObserver(() => {
    for (const video of document.querySelectorAll('video[data-camera]')) {
      if (seen.has(video)) continue;
      seen.add(video);
      window.begun ??= performance.now();
      const frame = () => video.requestVideoFrameCallback(() => window.moved.set(video.dataset.camera, performance.now() - window.begun));
      video.requestVideoFrameCallback(frame);
    }
  }).observe(document, { childList: true, subtree: true });
}

before(async () => {
  cameras = await Cameras.start({ set: 'tile', load: TILES, loadClip: 'tile', config: { all_clips: false, cameras: [] } });
  gateway = await Gateway.start({ set: { 'http.console_dir': consoleDir } });
  for (let i = 0; i < TILES; i++) {
    const streams = [{ role: 'main', url: `rtsp://${cameras.address}/load/${i}` }];
    const made = await gateway.post('/api/v1/cameras', { name: `Tile ${i}`, record: { mode: 'off' }, streams });
    assert.equal(made.status, 201, made.text);
    ids.push(made.json.id);
  }
  const live = async () => (await gateway.get('/api/v1/cameras?state=live&limit=1000')).json.items.length === TILES;
  await until(live, 30_000, 'all cameras are live');
  browser = await launch();
}, { timeout: 90_000 });

after(async () => {
  await browser?.close();
  await gateway?.stop();
  await cameras?.stop();
});

/** How many tiles are at live: what they show is at most this far behind the newest they have. */
const atLive = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('video[data-camera]')].filter((video) => {
      const { buffered, currentTime, dataset } = video;
      if (dataset.state !== 'live' || buffered.length === 0 || getComputedStyle(video).visibility !== 'visible') return false;
      return buffered.end(buffered.length - 1) - currentTime <= 1.5;
    }).length,
  );

test('64 tiles move within 5 s, and the API answers within 1 s meanwhile', async () => {
  desk = await openPage(browser, gateway.url, DESK, (page) => page.addInitScript(prepare));
  const { page } = desk;
  let asking = true;
  let slowest = 0;
  const asked = (async () => {
    while (asking) {
      const begun = Date.now();
      const answer = await gateway.get('/api/v1/cameras?limit=1000');
      slowest = Math.max(slowest, Date.now() - begun);
      assert.equal(answer.status, 200);
      await sleep(100);
    }
  })();
  await signIn(page, 'admin', gateway.adminPassword());
  await page.waitForFunction((count) => window.moved.size === count, TILES, { timeout: 15_000 });
  const last = await page.evaluate(() => Math.max(...window.moved.values()));
  assert.ok(last <= 5_000, `the last tile moved after ${last} ms`);
  // They keep moving, at 10 frames a second.
  await until(
    async () => {
      const counts = Object.values(await countFrames(page, 2_000));
      return counts.length === TILES && counts.every((count) => count >= 10);
    },
    10_000,
    '64 tiles show ten frames and more in two seconds',
  );
  // And the page itself still answers.
  const begun = Date.now();
  await page.click('[data-camera-details]');
  await page.locator('[data-camera-status] section').waitFor();
  assert.ok(Date.now() - begun <= 2_000, `the dialog took ${Date.now() - begun} ms`);
  await page.keyboard.press('Escape');
  asking = false;
  await asked;
  assert.ok(slowest <= 1_000, `an answer took ${slowest} ms`);
});

test('a wall that was hidden is at live within 2 s; one that was let go begins anew within 5 s', async () => {
  const { page } = desk;
  for (const { hidden, let_go, within } of [{ hidden: 4_000, let_go: false, within: 2_000 }, { hidden: 8_000, let_go: true, within: 5_000 }]) {
    await setHidden(page, true);
    await until(() => page.evaluate(() => [...document.querySelectorAll('video[data-camera]')].every((video) => video.paused)), 2_000, 'nothing is decoded');
    await sleep(hidden);
    const open = await page.evaluate(() => [...document.querySelectorAll('video[data-camera]')].filter((video) => video.src !== '').length);
    assert.equal(open, let_go ? 0 : TILES, `after ${hidden} ms`);
    await setHidden(page, false);
    const back = Date.now();
    await until(async () => (await atLive(page)) === TILES, within, `64 tiles at live after ${hidden} ms hidden`);
    assert.ok(Date.now() - back <= within, `it took ${Date.now() - back} ms`);
  }
  await until(async () => Object.values(await countFrames(page, 1_000)).filter((count) => count >= 4).length === TILES, 5_000, 'they move');
});

test('a dead camera among them says so, and the others go on', async () => {
  const { page } = desk;
  await cameras.order({ do: 'refuse', camera: 'load/5', seconds: 0 });
  await cameras.order({ do: 'drop', camera: 'load/5' });
  const dead = page.locator(`video[data-camera="${ids[5]}"]`);
  await page.locator(`video[data-camera="${ids[5]}"][data-state=offline]`).waitFor({ state: 'attached' });
  assert.equal(await dead.isVisible(), false, 'no old picture');
  const tile = page.locator('article', { has: dead });
  await tile.getByText('Offline', { exact: true }).waitFor();
  const others = async () => {
    const counts = await countFrames(page, 1_500);
    delete counts[ids[5]]; // it may play out what it has, unseen
    return Object.values(counts).every((count) => count >= 5);
  };
  await until(others, 10_000, 'the others move');
  await cameras.order({ do: 'clear', camera: 'load/5' });
  await page.locator(`video[data-camera="${ids[5]}"][data-state=live]`).waitFor();
});

test('layouts by key, a tile enlarged and left without a mouse', async () => {
  const { page } = desk;
  for (const [key, count] of [['5', 25], ['3', 36], ['8', 64]]) {
    await page.keyboard.press(key);
    await page.waitForFunction((n) => document.querySelectorAll('video[data-camera]').length === n, count);
  }
  await page.focus('article >> nth=7');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelectorAll('video[data-camera]').length === 1);
  await page.keyboard.press('Escape');
  await page.waitForFunction((n) => document.querySelectorAll('video[data-camera]').length === n, TILES);
  assert.deepEqual(desk.wrong, []);
  await page.context().close();
});

test('on a phone only the tiles on the screen are decoded', async () => {
  const { page, wrong } = await openPage(browser, gateway.url, PHONE, (fresh) => fresh.addInitScript(prepare));
  await signIn(page, 'admin', gateway.adminPassword());
  await page.click('[data-tab=wall]');
  await page.locator('video[data-camera][data-state=live]').first().waitFor();
  const playing = () =>
    page.evaluate(() => [...document.querySelectorAll('video[data-camera]')].map((video, i) => (video.src === '' ? -1 : i)).filter((i) => i >= 0));
  await until(async () => (await playing()).length < 30, 5_000, 'the tiles below are let go');
  const top = await playing();
  assert.ok(top.includes(0) && !top.includes(63), `${top}`);
  await page.locator('.tiles').evaluate((tiles) => tiles.scrollTo(0, tiles.scrollHeight));
  await page.locator(`video[data-camera="${await page.locator('video[data-camera]').last().getAttribute('data-camera')}"][data-state=live]`).waitFor();
  await until(async () => !(await playing()).includes(0), 5_000, 'the tiles above are let go');
  assert.deepEqual(wrong, []);
  await page.context().close();
});
