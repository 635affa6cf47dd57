// Many cameras from one list, over the API and the command line.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Cameras } from './lib/cameras.mjs';
import { Gateway, program, until } from './lib/gateway.mjs';

const CANARY = 'canary-7Qx';
const HEAD = '编码,名称,经度,纬度,主码流地址,子码流地址,用户名,密码,传输,录像模式,保存天数,启用,备注';
const row = (code, more = {}) => {
  const r = { name: `路口 ${code}`, lon: '', lat: '', url: `rtsp://127.0.0.1:1/${code}`, sub: '', user: 'viewer', pass: CANARY,
    transport: '自动', mode: '关闭', days: '7天', enabled: '否', note: 'x', ...more };
  return [code, r.name, r.lon, r.lat, r.url, r.sub, r.user, r.pass, r.transport, r.mode, r.days, r.enabled, r.note].join(',');
};
const list = (...rows) => `${[HEAD, ...rows].join('\n')}\n`;
const scratch = mkdtempSync(join(tmpdir(), 'sharpeyes-import-'));
let gateway;

before(async () => {
  gateway = await Gateway.start();
});
after(async () => {
  await gateway?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const begin = (body, query = '', options = {}) =>
  gateway.request('POST', `/api/v1/camera-imports${query}`, { body, headers: { 'content-type': 'text/csv' }, ...options });

/** An import to its end: its state and the report. */
async function imported(body, query = '', options = {}) {
  const begun = await begin(body, query, options);
  assert.equal(begun.status, 202, begun.text);
  const path = `/api/v1/camera-imports/${begun.json.id}`;
  assert.equal(begun.headers.get('location'), path);
  const state = await until(async () => {
    const { json } = await gateway.get(path, options);
    return json.state !== 'running' && json;
  }, 20_000, 'the import ends');
  assert.equal(state.done, state.created + state.updated + state.unchanged + state.failed);
  const rows = [];
  for (let cursor = ''; cursor !== null; ) {
    const page = await gateway.get(`${path}/rows?limit=300&cursor=${cursor}`, options);
    assert.equal(page.status, 200, page.text);
    rows.push(...page.json.items);
    cursor = page.json.next_cursor;
  }
  return { ...state, report: rows };
}
const camera = async (code) => (await gateway.get(`/api/v1/cameras/${code}`)).json;
const results = ({ report }) => report.map((r) => r.result);

test('a dry run says what would happen and changes nothing; then it happens; then there is nothing to do', async () => {
  const body = list(row('dry-1', { sub: 'rtsp://127.0.0.1:1/s' }), row('dry-2', { lon: '114.3224', lat: '29.8517' }));
  const dry = await imported(body, '?dry_run=1');
  assert.deepEqual([dry.state, dry.dry_run, dry.created, dry.failed], ['done', true, 2, 0]);
  assert.equal((await gateway.get('/api/v1/cameras/dry-1')).status, 404);
  const first = await imported(body);
  assert.deepEqual(results(first), ['created', 'created']);
  assert.deepEqual(first.ignored_columns, ['备注']);
  const one = await camera('dry-1'), two = await camera('dry-2');
  assert.equal(one.name, '路口 dry-1');
  assert.deepEqual(one.streams.map((s) => [s.role, s.username, s.has_password]), [['main', 'viewer', true], ['sub', 'viewer', true]]);
  assert.deepEqual(one.record, { mode: 'off', retention_days: 7 });
  assert.equal(one.enabled, false);
  assert.deepEqual(two.location, { lat: 29.8517, lon: 114.3224 });
  assert.deepEqual(results(await imported(body)), ['unchanged', 'unchanged']);
  assert.equal((await camera('dry-1')).version, one.version, 'untouched');
});

test('UTF-8 with a mark, GB18030, UTF-16; Chinese and English headings; semicolons and tabs', async () => {
  const english = (c) => ['Code', 'Camera Name', 'URL', 'Enabled'].join(c) + '\r\n' + ['en-1', '"Gate, East"', 'rtsp://127.0.0.1:1/e', 'no'].join(c) + '\r\n';
  const chinese = list(row('enc-1'));
  writeFileSync(join(scratch, 'utf8.csv'), chinese);
  const as = (to) => execFileSync('iconv', ['-f', 'UTF-8', '-t', to, join(scratch, 'utf8.csv')]);
  for (const [body, encoding, code, name] of [
    [`\ufeff${chinese}`, 'utf-8', 'enc-1', '路口 enc-1'], [as('GB18030'), 'gb18030', 'enc-1', '路口 enc-1'],
    [as('UTF-16'), 'utf-16', 'enc-1', '路口 enc-1'], [english(';'), 'utf-8', 'en-1', 'Gate, East'],
    [english('\t'), 'utf-8', 'en-1', 'Gate, East'], [english(','), 'utf-8', 'en-1', 'Gate, East'],
  ]) {
    const done = await imported(body);
    assert.deepEqual([done.failed, done.encoding], [0, encoding], JSON.stringify(done.report));
    assert.equal((await camera(code)).name, name);
  }
  assert.equal((await begin(as('GB18030'), '?encoding=utf-8')).status, 422);
  assert.equal((await imported(as('GB18030'), '?encoding=gb18030')).failed, 0);
});

test('GCJ-02 becomes WGS 84', async () => {
  const done = await imported(list(row('gcj-1', { lon: '116.41024449916938', lat: '39.91640428150164' })), '?crs=gcj02');
  assert.equal(done.failed, 0);
  const { location } = await camera('gcj-1');
  assert.ok(Math.abs(location.lat - 39.915) < 1e-5 && Math.abs(location.lon - 116.404) < 1e-5, JSON.stringify(location));
});

test('bad rows are left out and named; the others are taken; nothing secret is said', async () => {
  const body = list(
    row('ok-1'), row('no good', { url: 'rtsp://127.0.0.1:1/n' }), row('', { name: 'x' }), row('bad-url', { url: `http//${CANARY}@x` }),
    row('bad-net', { url: 'rtsp://169.254.1.1/x' }), row('ok-1'), row('bad-words', { transport: '飞鸽', enabled: '也许', days: '0' }),
    `bad-quote,"never closed,rtsp://127.0.0.1:1/x`, row('bad-name', { name: '' }), row('bad-place', { lat: '100', lon: '114' }), row('ok-2'));
  const done = await imported(body);
  assert.deepEqual([done.rows, done.created, done.failed], [11, 2, 9]);
  const fields = Object.fromEntries(done.report.filter((r) => r.result === 'failed').map((r) => [r.line, r.errors.map((e) => e.field).sort()]));
  assert.deepEqual(fields, { 3: ['code'], 4: ['code'], 5: ['main_url'], 6: ['main_url'], 7: ['code'], 8: ['enabled', 'retention_days', 'transport'],
    9: [''], 10: ['name'], 11: ['lat'] });
  for (const { errors } of done.report) for (const { reason } of errors) assert.match(reason, /\w+ \w+/, 'in words');
  const failed = await gateway.get(`/api/v1/camera-imports/${done.id}/rows?result=failed`);
  assert.equal(failed.json.items.length, 9);
  assert.doesNotMatch(JSON.stringify(done), new RegExp(CANARY));
});

test('an update changes what the row says and no more; an empty field leaves what is there', async () => {
  await imported(list(row('up-1', { sub: 'rtsp://127.0.0.1:1/s', lon: '114.1', lat: '29.1' })));
  const before = await camera('up-1');
  const done = await imported('code,name,url,retention_days\nup-1,Renamed,rtsp://127.0.0.1:1/up-1,\n');
  assert.deepEqual(results(done), ['updated']);
  const now = await camera('up-1');
  assert.equal(now.name, 'Renamed');
  assert.equal(now.id, before.id);
  for (const same of ['streams', 'record', 'location', 'enabled', 'department_id']) assert.deepEqual(now[same], before[same]);
});

test('cameras that do not change are not connected again', async () => {
  const cameras = await Cameras.start({ config: { cameras: [{ name: 'live-1', clip: 'plain' }, { name: 'live-2', clip: 'plain' }] } });
  try {
    const body = (name) => `code,name,url,transport,record_mode\nlive-1,One,${cameras.url('live-1')},tcp,off\nlive-2,${name},${cameras.url('live-2')},tcp,off\n`;
    await imported(body('Two'));
    const state = async (code) => (await gateway.get(`/api/v1/cameras/${code}/status`)).json;
    for (const code of ['live-1', 'live-2']) await until(async () => (await state(code)).state === 'live', 15_000, code);
    const sessions = (await cameras.stats('live-1')).sessions;
    assert.deepEqual(results(await imported(body('Second'))), ['unchanged', 'updated']);
    for (const code of ['live-1', 'live-2']) {
      assert.equal((await state(code)).state, 'live');
      assert.equal((await cameras.stats(code)).sessions, sessions, `${code}: a new name is no new connection`);
      assert.equal((await gateway.delete(`/api/v1/cameras/${code}`)).status, 204);
    }
  } finally {
    await cameras.stop();
  }
});

test('what is no such list is refused at once, in words', async () => {
  for (const [body, words, query = ''] of [
    ['', /empty/], ['name,url\na,b\n', /code \(编码\)/], [`${HEAD}\n`, /no row/], [Buffer.from('PK\x03\x04zip'), /workbook/],
    [Buffer.from([0x41, 0, 0x42]), /NUL/], ['编码,编号,名称,url\n', /Two columns/], [list(row('x')), /department/, '?department_id=nowhere'],
    [`code,name,url\n${'a,b,c\n'.repeat(20_001)}`, /20000 rows/],
  ]) {
    const refused = await begin(body, query);
    assert.equal(refused.status, 422, refused.text);
    assert.match(refused.json.detail, words);
  }
  assert.equal((await begin(list(row('x')), '?crs=mars')).status, 422);
  assert.equal((await begin(list(row('x')), '?encoding=klingon')).status, 422);
  for (const query of ['?dryrun=1', '?dry-run=1', '?dry_run', '?dry_run=', '?dry_run=1&x=']) {
    const refused = await begin(list(row('not-dry')), query);
    assert.equal(refused.status, 422, `${query}: ${refused.text}`);
    assert.match(refused.json.detail, /dry_run/);
  }
  assert.equal((await begin(Buffer.alloc(17 << 20, 0x61))).status, 413);
  assert.equal((await gateway.get('/api/v1/camera-imports/nothing')).status, 404);
});

test('a department gives cameras to itself only, and sees its own imports only', async () => {
  const own = (await gateway.post('/api/v1/departments', { code: 'imp-own', name: '导入单位', kind: 'traffic' })).json;
  const user = await gateway.post('/api/v1/users', {
    username: 'imp-admin', display_name: 'A', password: 'a long enough one', department_id: own.id, roles: ['department_admin'],
  });
  assert.equal(user.status, 201, user.text);
  const token = await gateway.tokenOf('imp-admin', 'a long enough one');
  const body = `code,name,url,部门,enabled\ndep-1,a,rtsp://127.0.0.1:1/a,,no\ndep-2,b,rtsp://127.0.0.1:1/b,centre,no\ndep-3,c,rtsp://127.0.0.1:1/c,导入单位,no\nok-1,d,rtsp://127.0.0.1:1/d,,no\n`;
  const done = await imported(body, '', { token });
  assert.deepEqual(results(done), ['created', 'failed', 'created', 'failed']);
  assert.equal((await camera('dep-1')).department_id, own.id);
  assert.equal((await camera('dep-3')).department_id, own.id);
  assert.notEqual((await camera('ok-1')).name, 'd');
  assert.equal((await gateway.get(`/api/v1/camera-imports/${done.id}`)).status, 200, 'who sees all departments sees it');
  const mine = await imported(list(row('dep-9')));
  for (const path of ['', '/rows']) assert.equal((await gateway.get(`/api/v1/camera-imports/${mine.id}${path}`, { token })).status, 404);
  assert.equal((await begin(list(row('x')), '', { token: null })).status, 401);
});

test('thousands: quick, watched, cancelled half way; others are answered meanwhile', async () => {
  const many = list(...Array.from({ length: 5000 }, (_, i) => row(`many-${i}`)));
  const began = performance.now();
  const begun = await begin(many);
  assert.equal(begun.status, 202);
  const path = `/api/v1/camera-imports/${begun.json.id}`;
  const seen = await until(async () => {
    const { json } = await gateway.get(path);
    return json.done > 0 && json;
  }, 10_000, 'rows are done');
  const asked = performance.now();
  assert.equal((await gateway.get('/api/v1/cameras?limit=10')).status, 200);
  assert.ok(performance.now() - asked < 1000, 'the API answers meanwhile');
  assert.equal((await gateway.delete(path)).status, 204);
  const ended = await until(async () => {
    const { json } = await gateway.get(path);
    return json.state !== 'running' && json;
  }, 10_000, 'it ends');
  assert.equal(ended.state, 'cancelled');
  assert.ok(ended.done >= seen.done && ended.done < 5000, `${ended.done} rows were done`);
  assert.equal((await gateway.delete(path)).status, 409);
  const again = await imported(many);
  assert.equal(again.unchanged, ended.created, 'what was done stayed');
  assert.equal(again.created, 5000 - ended.created);
  assert.ok(performance.now() - began < 30_000, `${performance.now() - began} ms`);
});

test('what a stop or a kill leaves is told afterwards', async () => {
  const many = list(...Array.from({ length: 8000 }, (_, i) => row(`kill-${i}`)));
  const { json } = await begin(many);
  await gateway.kill();
  await gateway.restart();
  await gateway.signIn();
  const after = (await gateway.get(`/api/v1/camera-imports/${json.id}`)).json;
  assert.equal(after.state, 'failed');
  assert.match(after.reason, /restarted/);
});

/* --- the command line ------------------------------------------------------------------------------------ */

function run(args) {
  return new Promise((done) => {
    const child = spawn(program(), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '', err = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (err += text));
    child.once('close', (code) => done({ code, out, err }));
  });
}

test('sharpeyes camera import, by the daemon and without one', async () => {
  const file = join(scratch, 'cli.csv');
  const other = mkdtempSync(join(scratch, 'data-'));
  for (const dir of [gateway.dir, other]) {
    const command = (...args) => run(['camera', 'import', ...args, '--set', `gateway.data_dir=${dir}`, '--set', 'ingest.allow=127.0.0.0/8']);
    writeFileSync(file, list(row('cli-1'), row('cli-2')));
    const dry = await command(file, '--dry-run');
    assert.deepEqual([dry.code, /dry run, nothing was changed: 2 created/.test(dry.out)], [0, true], dry.out + dry.err);
    assert.match(dry.err, /2 of 2 rows/);
    const done = await command(file, '--json', '--department', 'centre');
    assert.equal(done.code, 0, done.err);
    assert.deepEqual(JSON.parse(done.out).items.map((r) => r.result), ['created', 'created']);
    writeFileSync(file, list(row('cli-1'), row('cli 3')));
    const bad = await command(file, '--crs', 'gcj02');
    assert.equal(bad.code, 1);
    assert.match(bad.out, /^line 3 +cli 3 +code must have/m);
    assert.match(bad.out, /0 created, 0 updated, 1 unchanged, 1 failed, of 2 rows/);
    for (const [code, ...args] of [[1, join(scratch, 'none.csv')], [1, scratch], [2], [2, file, '--crs', 'mars'], [2, file, '--encoding', 'x'],
      [1, file, '--department', 'nowhere']]) {
      const wrong = await command(...args);
      assert.equal(wrong.code, code, `${args}: ${wrong.err}`);
      assert.match(wrong.err, /^(sharpeyes: |usage: )/m);
    }
    assert.doesNotMatch(dry.out + done.out + bad.out + dry.err + done.err + bad.err, new RegExp(CANARY));
  }
});

test('the list in the documentation can be imported', async () => {
  const done = await imported(readFileSync(new URL('../../docs/cameras.csv', import.meta.url)).toString().replaceAll('traffic', 'imp-own')
    .replaceAll('rtsp://10.20.1.', 'rtsp://127.0.0.').replaceAll(',是\n', ',否\n'));
  assert.deepEqual([done.created, done.failed, done.ignored_columns.length], [3, 0, 0], JSON.stringify(done.report));
});

test('the audit trail has one entry for the import and one for each camera; no password is anywhere', async () => {
  const done = await imported(list(row('aud-1'), row('aud-2')));
  const entries = (await gateway.get('/api/v1/audit?limit=10')).json.items;
  const of = (action) => entries.filter((e) => e.action === action && (e.target_id === done.id || e.detail?.import === done.id));
  assert.equal(of('camera.import').length, 1);
  assert.equal(of('camera.create').length, 2);
  assert.equal((await gateway.get('/api/v1/audit/verify')).json.ok, true);
  const all = [gateway.log, (await gateway.get('/api/v1/audit?limit=1000')).text, (await gateway.get('/metrics')).text];
  for (const text of all) assert.ok(!text.includes(CANARY));
});
