// What people at the console do with cameras: look at their state, add and try them, import a list, watch them elsewhere.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Cameras } from '../system/lib/cameras.mjs';
import { Gateway, until } from '../system/lib/gateway.mjs';
import { consoleDir, launch, openPage, signIn } from './lib/browser.mjs';

const run = promisify(execFile);
const DESK = { viewport: { width: 1920, height: 1080 }, locale: 'en' };
const LOGIN = { auth: 'digest', username: 'viewer', password: 'canary-pw' };

let cameras, gateway, browser, page, wrong;

before(async () => {
  cameras = await Cameras.start({ tls: true, config: { cameras: [{ name: 'gate', clip: 'plain', sub: 'plain.sub', ...LOGIN }] } });
  gateway = await Gateway.start({ set: { 'http.console_dir': consoleDir } });
  browser = await launch();
  ({ page, wrong } = await openPage(browser, gateway.url, DESK));
  await signIn(page, 'admin', gateway.adminPassword());
  await page.locator('[data-add-camera]').waitFor();
}, { timeout: 60_000 });

after(async () => {
  await browser?.close();
  await gateway?.stop();
  await cameras?.stop();
});

const cameraByCode = async (code) => (await gateway.get(`/api/v1/cameras/${code}`)).json;

test('a camera is added, and its state told stream by stream', async () => {
  await page.click('[data-add-camera]');
  await page.click('[data-save-camera]');
  await page.getByText('Required').first().waitFor();
  await page.fill('input[name=camera-name]', 'East gate');
  await page.fill('input[name=camera-code]', 'gate-1');
  await page.fill('input[name=main-url]', 'http://[');
  await page.click('[data-save-camera]');
  await page.locator('[data-stream-fields=main] [role=alert]').waitFor(); // the gateway says what is wrong with it, at its place
  await page.fill('input[name=main-url]', cameras.url('gate'));
  await page.fill('input[name=main-username]', LOGIN.username);
  await page.fill('input[name=main-password]', LOGIN.password);
  await page.click('[data-field=has-sub]');
  await page.fill('input[name=sub-url]', cameras.url('gate/sub'));
  await page.fill('input[name=sub-username]', LOGIN.username);
  await page.fill('input[name=sub-password]', LOGIN.password);
  await page.click('[data-save-camera]');

  const status = page.locator('[data-camera-status]');
  for (const [stream, size] of [['main', '320 × 180'], ['sub', '160 × 90']]) {
    const section = status.locator(`[data-stream=${stream}]`);
    await section.getByText('Live', { exact: true }).waitFor();
    await section.locator('[data-fact=size]', { hasText: size }).waitFor();
    await section.locator('[data-fact=codec]', { hasText: 'H.264' }).waitFor();
    await section.locator('[data-fact=fps]', { hasText: /1[45](\.\d)? fps/ }).waitFor();
    await section.locator('[data-fact=transport]', { hasText: 'TCP' }).waitFor();
    await section.locator('[data-fact=bitrate]', { hasText: 'kbit/s' }).waitFor();
  }
  await cameras.order({ do: 'refuse', camera: 'gate', seconds: 0 });
  await cameras.order({ do: 'drop', camera: 'gate' });
  await status.getByText('Offline', { exact: true }).first().waitFor(); // by itself
  await status.getByText('Last error').first().waitFor();
  await cameras.order({ do: 'clear', camera: 'gate' });
  const camera = await cameraByCode('gate-1');
  assert.deepEqual(camera.streams.map(({ role, has_password }) => [role, has_password]), [['main', true], ['sub', true]]);
});

test('a stream is tried before it is saved, and a certificate that nobody vouches for is pinned with one press', async () => {
  await page.keyboard.press('Escape');
  await page.locator('[data-camera-status]').waitFor({ state: 'detached' });
  await until(async () => (await cameraByCode('gate-1')).state === 'live', 20_000, 'the camera is back');
  await page.click('[data-add-camera]');
  const fields = page.locator('[data-stream-fields=main]');
  const tryIt = async () => {
    await page.click('[data-test=main]');
    await fields.locator('[data-test-ok], [data-test-failed]').waitFor();
    return fields.locator('[data-test-ok], [data-test-failed]').innerText();
  };
  await page.fill('input[name=main-url]', cameras.url('gate'));
  await page.fill('input[name=main-username]', LOGIN.username);
  await page.fill('input[name=main-password]', 'not this one');
  assert.match(await tryIt(), /No picture.*password/);
  await page.fill('input[name=main-password]', LOGIN.password);
  assert.match(await tryIt(), /There is a picture.*H\.264 · 320 × 180 · .*fps · .*TCP · took/);

  await page.fill('input[name=main-url]', cameras.url('gate', { tls: true }));
  assert.match(await tryIt(), /No picture.*certificate/);
  await page.click('[data-pin]');
  assert.equal(await page.inputValue('input[name=main-fingerprint]'), cameras.fingerprint);
  assert.match(await tryIt(), /There is a picture.*TLS/);
  await page.keyboard.press('Escape'); // leaves the field, or the button …
  await page.keyboard.press('Escape'); // … and the dialog
  await fields.waitFor({ state: 'detached' });

  // Of a camera that is there, with the password that nobody sees.
  await page.locator('[data-camera-details]').first().click();
  await page.getByText('Settings', { exact: true }).click();
  assert.match(await tryIt(), /There is a picture/);
  await page.fill('input[name=main-url]', 'rtsp://127.0.0.9:1/gate');
  await page.click('[data-test=main]');
  await fields.getByText('Enter the password again').waitFor(); // it isn't sent anywhere else
  await page.getByText('Status', { exact: true }).click();
});

test('it can be opened elsewhere, with a ticket', async () => {
  await until(async () => (await cameraByCode('gate-1')).state === 'live', 20_000, 'the camera is back');
  await page.getByText('Addresses', { exact: true }).click();
  const address = (kind) => page.locator(`[data-address=${kind}] code`).innerText();
  const rtsp = readFileSync(join(gateway.dir, 'rtsp.addr'), 'utf8').trim();
  await page.locator('[data-address=rtsp] code', { hasText: `rtsp://${rtsp}/gate-1` }).waitFor();
  await page.click('[data-make-ticket]');
  await page.getByText(/These addresses work until/).waitFor();
  assert.match(await address('rtsp'), /\/gate-1\?ticket=/);
  const playlist = await fetch(await address('hls'));
  assert.equal(playlist.status, 200);
  assert.match(await playlist.text(), /^#EXTM3U/);
  const opened = await run('ffprobe', ['-v', 'error', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0', await address('rtsp')], { timeout: 15_000 });
  assert.match(opened.stdout, /h264/);
  const stop = new AbortController();
  const film = await fetch(await address('http'), { signal: stop.signal });
  assert.equal(film.status, 200);
  assert.match(film.headers.get('content-type'), /^video\/mp4/);
  stop.abort();
  await page.keyboard.press('Escape');
});

test('a change keeps what was not touched', async () => {
  await page.locator('[data-camera-details]').first().click();
  await page.getByText('Settings', { exact: true }).click();
  await page.fill('input[name=camera-name]', 'East gate 2');
  await page.click('[data-field=record-mode]');
  await page.getByText('Stay connected, record nothing').click();
  await page.click('[data-field=main-transport]');
  await page.locator('.n-base-select-option', { hasText: 'TCP' }).last().click();
  await page.click('[data-save-camera]');
  await page.getByText('Saved').waitFor();
  const camera = await cameraByCode('gate-1');
  assert.equal(camera.name, 'East gate 2');
  assert.equal(camera.record.mode, 'off');
  const [main, sub] = camera.streams;
  assert.deepEqual([main.transport, main.has_password, main.username], ['tcp', true, LOGIN.username]);
  assert.deepEqual([sub.transport, sub.has_password], ['auto', true]);
  await page.keyboard.press('Escape');
  await page.locator('[data-camera-status]').waitFor({ state: 'detached' });
});

test('a list is checked before it is imported, and its bad rows come back', async () => {
  const rows = ['编码,名称,主码流,备注', 'in-1,一号,rtsp://127.0.0.1:9/a,x', '"in 2",二号,rtsp://127.0.0.1:9/b,y', `gate-1,East gate 3,${cameras.url('gate')},z`];
  await page.click('[data-import-cameras]');
  const name = 'list.csv';
  await page.setInputFiles('[data-import-file]', { name, mimeType: 'text/csv', buffer: Buffer.from(rows.join('\r\n')) });
  await page.click('[data-import-check]');
  await page.locator('[data-import-state=done][data-dry-run=true]').waitFor();
  await page.getByText('Columns that are not used: 备注').waitFor();
  assert.equal((await gateway.get('/api/v1/cameras/in-1')).status, 404, 'a check writes nothing');
  await page.locator('[data-import-row="3"]', { hasText: 'in 2' }).waitFor(); // what failed is shown first
  assert.equal(await page.locator('[data-import-row]').count(), 1);
  await page.click('[data-import-filter=all]');
  await page.waitForFunction(() => document.querySelectorAll('[data-import-row]').length === 3);

  const download = page.waitForEvent('download');
  await page.click('[data-import-failed]');
  const text = readFileSync(await (await download).path(), 'utf8');
  const lines = text.replace(/^\uFEFF/, '').trimEnd().split('\r\n');
  assert.equal(lines[0], `${rows[0]},error`);
  assert.equal(lines.length, 2);
  assert.ok(lines[1].startsWith(`${rows[2]},`) && lines[1].length > rows[2].length + 10, lines[1]);

  await page.click('[data-import-start]');
  await page.locator('[data-import-state=done][data-dry-run=false]').waitFor();
  assert.equal((await cameraByCode('in-1')).name, '一号');
  assert.equal((await cameraByCode('gate-1')).name, 'East gate 3');
  await page.locator('.cameras', { hasText: '一号' }).waitFor(); // the list has it, without a reload

  const sample = page.waitForEvent('download');
  await page.click('[data-import-sample]');
  const body = readFileSync(await (await sample).path());
  const checked = await gateway.request('POST', '/api/v1/camera-imports?dry_run=1', { body, headers: { 'content-type': 'text/csv' } });
  const done = async () => {
    const { json } = await gateway.get(`/api/v1/camera-imports/${checked.json.id}`);
    return json.state === 'done' && json;
  };
  const report = await until(done, 10_000, 'the sample is checked');
  assert.equal(report.rows, 2);
  assert.deepEqual(report.ignored_columns ?? [], []);
  await page.keyboard.press('Escape');
});

test('a stream password is shown once, listed, and revoked', async () => {
  await page.click('[data-user-menu]');
  await page.locator('.n-dropdown-option', { hasText: 'Stream passwords' }).click();
  await page.getByText('No stream passwords yet').waitFor();
  await page.fill('input[name=stream-password-name]', 'duty room');
  await page.keyboard.press('Enter');
  const made = page.locator('[data-made-password]');
  await made.waitFor();
  const [username, password, url] = await made.locator('code').allInnerTexts();
  assert.equal(username, 'admin');
  assert.ok(password.length >= 16, 'long enough');
  const rtsp = readFileSync(join(gateway.dir, 'rtsp.addr'), 'utf8').trim();
  assert.equal(url, `rtsp://admin:${password}@${rtsp}/CAMERA-CODE`);
  const open = () => run('ffprobe', ['-v', 'error', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0', url.replace('CAMERA-CODE', 'gate-1')], { timeout: 15_000 });
  assert.match((await open()).stdout, /h264/);
  await page.getByText('I have kept it').click();
  await made.waitFor({ state: 'detached' });
  assert.equal((await page.locator('[data-account]').innerText()).includes(password), false, 'it is not shown again');
  const listed = await gateway.get('/api/v1/stream-passwords');
  assert.deepEqual(listed.json.items.map((one) => one.name), ['duty room']);
  await page.locator('[data-stream-password] button').click();
  await page.getByText('Revoke “duty room”?').waitFor();
  await page.locator('.n-popconfirm__panel button', { hasText: 'Revoke' }).click();
  await page.getByText('No stream passwords yet').waitFor();
  await assert.rejects(open(), /401/);
  assert.deepEqual((await gateway.get('/api/v1/stream-passwords')).json.items, []);
  await page.keyboard.press('Escape');
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(wrong.filter((line) => !/status of 422/.test(line)), []);
});
