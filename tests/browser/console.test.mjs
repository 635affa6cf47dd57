// The console in Chromium against the real daemon: what a person at the desk does, from signing in to a case
// that is evaluated.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Gateway, program, sleep, until } from '../system/lib/gateway.mjs';
import { consoleDir, countFrames, launch, openPage, seedsDir, setHidden, signIn } from './lib/browser.mjs';
import { Cameras } from './lib/cameras.mjs';

const run = promisify(execFile);
const DESK = { viewport: { width: 1920, height: 1080 }, locale: 'zh-CN' };
const PHONE = { viewport: { width: 390, height: 844 }, locale: 'zh-CN' };
const CAMERAS = 12; // as many as the demo county has: more than the wall shows at first
const SIGNAL = { source: 'browser-test', type: 'smoke', severity: 'critical' };
const MARKUP = '<img src=x onerror=alert(1)>';

let cameras, gateway, browser, desk;
const ids = [];

/** Runs in the page: counts the object URLs that were made, and those that weren't revoked. */
function countObjectUrls() {
  window.objectUrls = { made: 0, held: 0 };
  const { createObjectURL, revokeObjectURL } = URL;
  URL.createObjectURL = (object) => {
    window.objectUrls.made += 1;
    window.objectUrls.held += 1;
    return createObjectURL.call(URL, object);
  };
  URL.revokeObjectURL = (url) => {
    window.objectUrls.held -= 1;
    revokeObjectURL.call(URL, url);
  };
}

before(async () => {
  cameras = await Cameras.start(CAMERAS);
  gateway = await Gateway.start({ set: { 'http.console_dir': consoleDir } });
  const county = ['seed', 'load', seedsDir, '--var', `camera_base=rtsp://${cameras.rtsp}`];
  await run(program(), [...county, '--set', `gateway.data_dir=${gateway.dir}`], { timeout: 30_000 });
  const { json } = await gateway.get('/api/v1/cameras');
  for (const name of cameras.names) ids.push(json.items.find((camera) => camera.code === name).id);
  const renamed = await gateway.patch(`/api/v1/cameras/${ids[0]}`, { name: MARKUP });
  assert.equal(renamed.status, 200, renamed.text);
  browser = await launch();
  desk = await openPage(browser, gateway.url, DESK, (page) => page.addInitScript(countObjectUrls));
}, { timeout: 60_000 });

after(async () => {
  await browser?.close();
  await gateway?.stop();
  await cameras?.stop();
});

test('a wrong password is told in words, the right one opens the desk', async () => {
  const { page } = desk;
  await signIn(page, 'admin', 'not the password');
  await page.getByText('用户名或密码不正确').waitFor();
  await signIn(page, 'admin', gateway.adminPassword());
  await page.getByText('视频墙').first().waitFor();
  assert.match(await page.evaluate(() => document.cookie), /^$/, 'the session is out of reach of scripts');
});

test('nine tiles move', async () => {
  const { page } = desk;
  await page.locator('video[data-camera][data-state=live]').nth(8).waitFor();
  const counts = await until(
    async () => {
      const frames = await countFrames(page, 2_000);
      return Object.values(frames).filter((count) => count >= 15).length >= 9 && frames;
    },
    15_000,
    'nine tiles show 15 frames in two seconds',
  );
  assert.equal(Object.keys(counts).length, 9);
  await page.getByText(MARKUP).first().waitFor();
  assert.equal(await page.locator('img[src=x]').count(), 0, 'a name is text, never markup');
});

test('a camera opens large and goes back to the wall', async () => {
  const { page } = desk;
  await page.dblclick(`video[data-camera="${ids[1]}"]`);
  await page.waitForFunction(() => document.querySelectorAll('video[data-camera]').length === 1);
  await until(async () => (await countFrames(page, 1_000))[ids[1]] >= 5, 10_000, 'the large picture moves');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.querySelectorAll('video[data-camera]').length === 9);
});

test('a signal becomes an incident in the queue, and its case goes all the way to its evaluation', async () => {
  const { page } = desk;
  const answer = await gateway.post('/api/v1/signals', {
    ...SIGNAL,
    camera: ids[2],
    occurred_at: new Date().toISOString(),
    message: '<i>smoke</i> over the field',
  });
  assert.equal(answer.status, 202, answer.text);
  const incident = answer.json.items[0].incident_id;
  const row = page.locator(`[data-incident="${incident}"]`);
  await row.waitFor({ timeout: 5_000 }); // nobody reloaded the page
  await row.click();
  await page.locator(`[data-incident-open="${incident}"]`).waitFor();
  await page.getByText('<i>smoke</i> over the field').waitFor();

  // A rule may have opened a case already.
  const opened = page.locator('[data-case-open]');
  await page.locator('[data-case-open], [data-open-case]').first().waitFor();
  if ((await opened.count()) === 0) await page.click('[data-open-case]');
  await opened.waitFor();
  const id = await opened.getAttribute('data-case-open');

  for (const action of ['accept', 'dispatch', 'start', 'finish', 'verify', 'close', 'evaluate']) {
    const stage = await opened.getAttribute('data-stage');
    await page.click(`[data-action="${action}"]`);
    await page.locator('[data-submit]').waitFor();
    if (await page.locator('[data-submit][disabled]').count()) await fillForm(page);
    await page.click('[data-submit]:not([disabled])');
    await page.waitForFunction((was) => document.querySelector('[data-case-open]').dataset.stage !== was, stage);
  }
  assert.equal(await opened.getAttribute('data-status'), 'closed');
  assert.equal(await page.locator('[data-loop]').getAttribute('data-loop'), 'evaluate');
  const { json } = await gateway.get(`/api/v1/cases/${id}`);
  assert.equal(json.status, 'closed');
  assert.equal(json.loop, 'evaluate');
});

test('the recording of the incident plays', async () => {
  const { page } = desk;
  await until(
    async () => {
      if (await page.locator('video.clip').count()) {
        const frames = () => document.querySelector('video.clip').getVideoPlaybackQuality().totalVideoFrames;
        return (await page.evaluate(frames)) >= 15;
      }
      await page.locator('[data-evidence=clip]').click(); // it says so while nothing is on the disk yet
      return false;
    },
    15_000,
    'a second of the clip was played',
  );
});

test('what somebody else did meanwhile is said, and shown', async () => {
  const answer = await gateway.post('/api/v1/signals', { ...SIGNAL, camera: ids[3], occurred_at: new Date().toISOString() });
  const incident = answer.json.items[0].incident_id;
  const { json } = await gateway.get(`/api/v1/incidents/${incident}`);
  const id = json.case_id ?? (await gateway.post(`/api/v1/incidents/${incident}/case`, {})).json.id;
  // A desk that hears of nothing by itself.
  const { page } = await openPage(browser, gateway.url, DESK, (fresh) => fresh.route('**/api/v1/events', (route) => route.abort()));
  await signIn(page, 'admin', gateway.adminPassword());
  await page.locator(`[data-case="${id}"]`).click();
  await page.click('[data-action=accept]');
  const step = await gateway.post(`/api/v1/cases/${id}/transitions`, { action: 'accept' });
  assert.equal(step.status, 201, step.text);
  await page.click('[data-submit]');
  await page.getByText('案件刚被他人处理').waitFor();
  await page.locator('[data-action=dispatch]').waitFor();
  await page.context().close();
});

/** Whatever the chosen action asks for. */
async function fillForm(page) {
  const assignee = page.locator('[data-field=assignee]');
  if (await assignee.count()) {
    await assignee.click();
    await page.locator('.n-base-select-option').first().click();
  }
  const score = page.locator('[data-field=score] [data-value="5"]');
  if (await score.count()) await score.click();
  for (const input of await page.locator('form input[name], form textarea[name=note]').all()) {
    if ((await input.inputValue()) === '') await input.fill('done');
  }
}

test('an operator reports from a tile', async () => {
  const { page } = desk;
  await page.keyboard.press('Escape'); // closes what the case panel still shows
  await page.getByRole('tab', { name: '在办' }).waitFor();
  const tile = page.locator('article', { has: page.locator(`video[data-camera="${ids[5]}"]`) });
  await tile.hover();
  await tile.getByRole('button', { name: '上报事件' }).click();
  await page.locator('.report .n-base-selection').click();
  await page.locator('.n-base-select-option').first().click();
  await page.click('.report button[type=submit]');
  await page.locator('[data-incident-open]').waitFor();
  const id = await page.locator('[data-incident-open]').getAttribute('data-incident-open');
  const { json } = await gateway.get(`/api/v1/incidents/${id}`);
  assert.equal(json.camera_id, ids[5]);
});

test('without a mouse: a grid on the map, a camera in the list, a report', async () => {
  const { page } = desk;
  await page.keyboard.press('Escape'); // closes what the case panel still shows
  await page.focus('[data-choose-grid] input');
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.locator('.grid-card').waitFor();
  await page.keyboard.press('Escape'); // leaves the field …
  await page.keyboard.press('Escape'); // … and the grid
  await page.locator('.grid-card').waitFor({ state: 'detached' });

  await page.focus('.cameras li button');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelectorAll('video[data-camera]').length === 1);
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.querySelectorAll('video[data-camera]').length === 9);

  await page.focus(`article:has(video[data-camera="${ids[6]}"])`);
  await page.keyboard.press('Tab');
  const focused = () => page.evaluate(() => {
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    return { label: document.activeElement.ariaLabel, outline: `${outlineStyle} ${outlineWidth}` };
  });
  assert.deepEqual(await focused(), { label: '上报事件', outline: 'solid 2px' });
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement.closest('.report') !== null);
  await page.keyboard.press('Enter'); // the first of the usual tags
  await page.focus('.report textarea');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.locator('[data-incident-open]').waitFor();
  const { json } = await gateway.get(`/api/v1/incidents/${await page.locator('[data-incident-open]').getAttribute('data-incident-open')}`);
  assert.equal(json.camera_id, ids[6]);
  await page.keyboard.press('Escape');
});

test('every button has a name', async () => {
  const { page } = desk;
  for (const locale of ['en', 'zh-CN']) {
    await page.click(`[data-locale="${locale}"]`);
    const nameless = await page.evaluate(() => {
      const silent = (button) => !(button.ariaLabel ?? button.innerText).trim();
      return [...document.querySelectorAll('button')].filter(silent).map((button) => button.outerHTML);
    });
    assert.deepEqual(nameless, [], locale);
    const icons = '.icon-button, .zoom button';
    const labels = await page.locator(icons).evaluateAll((all) => all.map((one) => one.title));
    assert.ok(labels.length > 20 && labels.every((label) => (locale === 'en') === /^[ -~]+$/.test(label)), labels.join());
  }
});

/** Each tile: its state, how far it plays behind what it has, and how far that is behind the clock. */
const tileDelays = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('video[data-camera]')].map((video) => {
      const { buffered, currentTime, dataset } = video;
      const end = buffered.length > 0 ? buffered.end(buffered.length - 1) : NaN;
      return { camera: dataset.camera, state: dataset.state, behind: end - currentTime, lag: Date.now() / 1000 - end };
    }),
  );

test('a page that stood still for ten seconds is at live within two', async () => {
  const { page } = desk;
  await page.locator('video[data-camera][data-state=live]').nth(8).waitFor();
  await until(async () => (await tileDelays(page)).every((tile) => tile.behind < 1.5), 10_000, 'all tiles are at live');
  const before = new Map((await tileDelays(page)).map((tile) => [tile.camera, tile.lag]));
  await setHidden(page, true);
  // As a frozen page: none of its script runs, and nobody reads the live connection.
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Debugger.enable');
  const paused = new Promise((done) => cdp.once('Debugger.paused', done));
  await cdp.send('Debugger.pause');
  await paused;
  await sleep(10_000);
  const back = Date.now();
  await cdp.send('Debugger.resume');
  await cdp.detach();
  await setHidden(page, false);
  const late = (tile) => tile.state !== 'live' || !(tile.behind <= 1.5) || !(tile.lag - before.get(tile.camera) <= 1);
  for (;;) {
    const tiles = await tileDelays(page);
    if (tiles.length === 9 && !tiles.some(late)) break;
    assert.ok(Date.now() - back < 2_000, `still late: ${JSON.stringify(tiles.filter(late))}`);
    await sleep(50);
  }
  await until(async () => Object.values(await countFrames(page, 1_000)).every((count) => count >= 5), 5_000, 'they move');
});

test('fifty changes of layout leave nothing behind', async () => {
  const { page } = desk;
  const cdp = await page.context().newCDPSession(page);
  /** How many of these the page holds, after a collection. */
  const held = async (type) => {
    const prototype = await cdp.send('Runtime.evaluate', { expression: `${type}.prototype`, objectGroup: 'count' });
    const found = await cdp.send('Runtime.queryObjects', { prototypeObjectId: prototype.result.objectId, objectGroup: 'count' });
    const functionDeclaration = 'function () { return this.length; }';
    const { result } = await cdp.send('Runtime.callFunctionOn', { functionDeclaration, objectId: found.objects.objectId });
    await cdp.send('Runtime.releaseObjectGroup', { objectGroup: 'count' });
    return result.value;
  };
  const made = await page.evaluate(() => window.objectUrls.made);
  for (let i = 0; i < 50; i++) {
    await page.keyboard.press(['1', '9', '4', '6', '9'][i % 5]);
    await sleep(150);
  }
  await page.locator('video[data-camera][data-state=live]').nth(8).waitFor();
  const urls = await page.evaluate(() => window.objectUrls);
  assert.ok(urls.made - made >= 50, `the changes made ${urls.made - made} new films`);
  assert.equal(urls.held, 9, 'an object URL for each tile');
  let counts;
  await until(
    async () => {
      counts = {};
      for (const type of ['MediaSource', 'SourceBuffer', 'HTMLVideoElement']) counts[type] = await held(type);
      return Object.values(counts).every((count) => count <= 12);
    },
    10_000,
    'no more films than tiles',
  ).catch((error) => assert.fail(`${error.message}: ${JSON.stringify(counts)}`));
  await cdp.detach();
});

test('a camera that goes away is said to be offline, and its last picture is gone', async () => {
  const { page } = desk;
  const video = page.locator(`video[data-camera="${ids[0]}"]`);
  await cameras.order({ do: 'refuse', camera: cameras.names[0], seconds: 0 });
  await cameras.order({ do: 'drop', camera: cameras.names[0] });
  await page.locator(`video[data-camera="${ids[0]}"][data-state=offline]`).waitFor({ state: 'attached' });
  assert.equal(await video.isVisible(), false, 'no old picture');
  await page.getByText('离线', { exact: true }).first().waitFor();
  await page.getByText(/自 \d\d:\d\d 起/).first().waitFor();

  await cameras.order({ do: 'clear', camera: cameras.names[0] });
  await page.locator(`video[data-camera="${ids[0]}"][data-state=live]`).waitFor();
  await until(async () => (await countFrames(page, 1_000))[ids[0]] >= 5, 15_000, 'it moves again');
});

test('a gateway that goes is said to be gone, and all is back when it is', async () => {
  const { page } = desk;
  gateway.set['http.listen'] = gateway.address; // the same place, as a gateway that was restarted is
  await gateway.kill();
  await page.getByText('连接中断，正在重连', { exact: true }).waitFor();
  await page.waitForFunction(() => document.querySelectorAll('video[data-state=live]').length === 0);
  await gateway.restart();
  await page.getByText('已连接', { exact: true }).waitFor({ timeout: 20_000 });
  await page.locator('video[data-camera][data-state=live]').nth(8).waitFor();
  const answer = await gateway.post('/api/v1/signals', { ...SIGNAL, camera: ids[4], occurred_at: new Date().toISOString() });
  await page.locator(`[data-incident="${answer.json.items[0].incident_id}"]`).waitFor();
});

test('the language changes everything, and is kept', async () => {
  const { page } = desk;
  await page.click('[data-locale=en]');
  await page.getByRole('heading', { name: 'Incidents' }).waitFor();
  assert.equal(await page.getByText('事件队列').count(), 0);
  await page.reload();
  await page.getByRole('heading', { name: 'Incidents' }).waitFor();
  await page.click('[data-locale=zh-CN]');
  await page.getByRole('heading', { name: '事件队列' }).waitFor();
});

test('whoever has a password that was given to them is offered a change, and can make it', async () => {
  const made = await gateway.post('/api/v1/users', { username: 'night-shift', display_name: '夜班', roles: ['commander'] });
  assert.equal(made.status, 201, made.text);
  const given = made.json.initial_password;
  const next = 'seven lanterns';
  const { page, wrong } = await openPage(browser, gateway.url, DESK, (fresh) =>
    fresh.addInitScript(() => localStorage.setItem('sharpeyes.wall', JSON.stringify({ layout: 1, slots: [] }))),
  );
  await signIn(page, 'night-shift', given);
  const banner = page.locator('[data-password-banner]');
  await banner.waitFor();
  await page.locator('video[data-state=live]').waitFor(); // the work goes on meanwhile
  await banner.getByRole('button', { name: '修改密码' }).click();

  const submit = async (current, password, repeat) => {
    await page.fill('input[name=current-password]', current);
    await page.fill('input[name=new-password]', password);
    await page.fill('input[name=repeat-password]', repeat);
    await page.click('form.password button[type=submit]');
  };
  for (const [answer, ...entered] of [
    ['请输入当前密码', '', next, next],
    ['新密码太短', given, 'short', 'short'],
    ['不能与用户名相同', given, 'night-shift', 'night-shift'],
    ['与当前密码相同', given, given, given],
    ['两次输入的新密码不一致', given, next, `${next}!`],
    ['当前密码不正确', 'not this one', next, next],
  ]) {
    await submit(...entered);
    await page.locator('form.password [role=alert]', { hasText: answer }).waitFor();
  }
  await submit(given, next, next);
  await page.getByText('密码已修改').waitFor();
  await page.locator('form.password').waitFor({ state: 'detached' });
  await banner.waitFor({ state: 'detached' });
  // It ended the session; the desk goes on in the next one.
  await page.getByText('已连接', { exact: true }).waitFor();
  await until(async () => Object.values(await countFrames(page, 1_000)).some((count) => count >= 5), 10_000, 'the picture moves');
  const enter = (password) => gateway.post('/api/v1/sessions', { username: 'night-shift', password }, { token: null });
  assert.equal((await enter(given)).status, 401);
  assert.equal((await enter(next)).json.user.must_change_password, false);

  // The menu has it too, without a mouse.
  await page.focus('[data-user-menu]');
  await page.keyboard.press('Enter');
  await page.getByText('退出登录').waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement.name === 'current-password');
  await page.keyboard.press('Escape');
  await page.locator('form.password').waitFor({ state: 'detached' });
  assert.deepEqual(wrong.filter((line) => !/status of 422/.test(line)), []);
  await page.context().close();
});

test('on a phone every tab fits', async () => {
  const { page, wrong } = await openPage(browser, gateway.url, PHONE);
  await signIn(page, 'admin', gateway.adminPassword());
  for (const tab of ['map', 'wall', 'incidents', 'cases']) {
    await page.click(`[data-tab=${tab}]`);
    await page.locator('.phone section').first().waitFor();
    const wide = await page.evaluate(() => {
      const beyond = [...document.querySelectorAll('.screen *')].filter(
        (element) => element.closest('.leaflet-container') === null && element.getBoundingClientRect().right > window.innerWidth + 1,
      );
      return { scroll: document.documentElement.scrollWidth, beyond: beyond.map((element) => element.className) };
    });
    assert.ok(wide.scroll <= 390, `${tab} is ${wide.scroll} wide`);
    assert.deepEqual(wide.beyond, [], `${tab} reaches beyond the screen`);
  }
  await page.click('[data-tab=wall]');
  await page.locator('video[data-camera][data-state=live]').first().waitFor();
  assert.deepEqual(wrong, []);
  await page.context().close();
});

test('nothing went wrong on the way, and nobody else was asked for anything', () => {
  // The browser itself logs what was refused, and what could not be reached while the gateway was gone.
  const told = /Failed to load resource/;
  assert.deepEqual(desk.wrong.filter((line) => !told.test(line)), []);
});
