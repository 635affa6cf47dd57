// The HTTP floor from outside: who gets in, what is refused and how, and what stays open.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Gateway, chunksOf, program, sleep, until } from './lib/gateway.mjs';

let g;

before(async () => {
  // A reader counts as stalled after 4 s: on a busy machine one that does read may be late by two.
  g = await Gateway.start({ set: { 'http.stall_s': '4', 'http.keepalive_s': '1', 'http.body_timeout_s': '3' } });
});
after(async () => {
  await g?.stop();
});

/** Sends bytes as they are; what comes back until the other side closes or `ms` have passed. */
function raw(text, ms = 20_000) {
  const [host, port] = g.address.split(':');
  return new Promise((done) => {
    const socket = net.connect(Number(port), host);
    const started = Date.now();
    let got = '';
    const end = (closed) => {
      clearTimeout(timer);
      socket.destroy();
      done({ text: got, closed, ms: Date.now() - started, status: Number(got.split(' ')[1]) });
    };
    const timer = setTimeout(() => end(false), ms);
    socket.setEncoding('latin1');
    socket.on('data', (data) => (got += data));
    socket.on('error', () => {});
    socket.on('close', () => end(true));
    for (const part of Array.isArray(text) ? text : [text]) socket.write(part);
  });
}

const camera = (code, more = {}) => ({
  code,
  name: `Camera ${code}`,
  streams: [{ role: 'main', url: 'rtsp://root:canary%40Secret1@127.0.0.1:9/stream' }],
  enabled: false,
  ...more,
});

/** The operations that the gateway itself says it has. */
async function operations() {
  const { text } = await g.get('/api/v1/openapi.yaml');
  const found = [];
  let path = null;
  let inPaths = false;
  for (const line of text.split('\n')) {
    if (/^\S/.test(line)) inPaths = line.startsWith('paths:');
    if (!inPaths) continue;
    const isPath = line.match(/^ {2}(\/\S*):$/);
    const isMethod = line.match(/^ {4}(get|post|patch|put|delete):$/);
    if (isPath) path = isPath[1];
    else if (isMethod) found.push({ path, method: isMethod[1].toUpperCase(), open: false });
    else if (line === '      security: []') found.at(-1).open = true;
  }
  return found;
}

test('every route but the few public ones wants a token', async () => {
  const all = await operations();
  assert.ok(all.length > 40, `${all.length} operations`);
  for (const { path, method, open } of all) {
    const url = path.replace(/{\w+}/g, 'x');
    for (const headers of [{}, { authorization: 'Bearer nonsense' }, { cookie: 'sharpeyes_session=nonsense' }]) {
      const json = ['POST', 'PATCH', 'PUT'].includes(method) ? {} : undefined;
      const answer = await g.request(method, url, { token: null, headers, json });
      if (open) {
        assert.notEqual(answer.status, 403, `${method} ${path}`);
        continue;
      }
      assert.equal(answer.status, 401, `${method} ${path}`);
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer/, `${method} ${path}`);
      assert.equal(answer.headers.get('content-type'), 'application/problem+json');
      assert.equal(answer.json.status, 401);
    }
    if (open) continue;
    const ticket = await g.request(method, `${url}?ticket=nonsense`, { token: null, json: method === 'GET' ? undefined : {} });
    assert.equal(ticket.status, 401, `${method} ${path} with a ticket`);
  }
});

test('bad JSON is 400 and quick', async () => {
  const bad = {
    empty: '',
    'not JSON': 'hello',
    'two values': '{}{}',
    'open object': '{"a":1',
    'duplicate keys': '{"username":"a","username":"b"}',
    deep: '['.repeat(100_000),
    'deep and closed': '['.repeat(4000) + ']'.repeat(4000),
    'a NUL': '{"username":"a\u0000b"}',
    'an escaped NUL': '{"username":"a\\u0000b"}',
    'bad UTF-8': Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
    'a lone surrogate': '{"username":"\\ud800"}',
  };
  const started = Date.now();
  for (const [what, body] of Object.entries(bad)) {
    const answer = await g.request('POST', '/api/v1/sessions', {
      token: null,
      body,
      headers: { 'content-type': 'application/json' },
    });
    const expected = what === 'deep' ? [400, 413] : [400];
    assert.ok(expected.includes(answer.status), `${what}: ${answer.status} ${answer.text}`);
    assert.equal(answer.headers.get('content-type'), 'application/problem+json', what);
  }
  assert.ok(Date.now() - started < 5000, `${Date.now() - started} ms`);
  const deep = await g.request('POST', '/api/v1/cameras', {
    body: '['.repeat(100_000),
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(deep.status, 400);
  const nested = await g.post('/api/v1/tokens', undefined, { body: `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}` });
  assert.equal(nested.status, 400);
  const type = await g.request('POST', '/api/v1/sessions', { token: null, body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  assert.equal(type.status, 400, 'not JSON is not JSON, whatever it is called');
  const unnamed = await g.request('POST', '/api/v1/departments', { body: '{"code":"unnamed","name":"Unnamed"}', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  assert.equal(unnamed.status, 201, unnamed.text);
});

test('a body too long is 413 before much of it is read', async () => {
  const promised = await raw('POST /api/v1/cameras HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n');
  assert.equal(promised.status, 413); // nothing of it was sent
  const sending = await raw(['POST /api/v1/cameras HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n', 'x'.repeat(3_000_000)]);
  assert.equal(sending.status, 413);
  const chunked = await raw(['POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n', `4000\r\n${'x'.repeat(0x4000)}\r\n`.repeat(100)]);
  assert.equal(chunked.status, 413);
  const unwanted = await raw('GET /api/v1/cameras HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n');
  assert.equal(unwanted.status, 413);
});

test('a stranger is told so before a large body is read', async () => {
  const stranger = await raw(['POST /api/v1/signals HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n', 'x'.repeat(100_000)]);
  assert.equal(stranger.status, 401); // 8.9 MB were never sent
});

test('a body that never comes is cut off', async () => {
  const late = await raw('POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{');
  assert.ok(late.closed, 'within 20 s');
  assert.ok(late.ms >= 2000, `${late.ms} ms: it had three seconds`);
  assert.ok((await g.metric('sharpeyes_http_connections_cut_total{cause="body"}')) >= 1);
});

test('lines that are not HTTP, too long, or hostile are refused in bounds', async () => {
  assert.equal((await raw(`GET /${'a'.repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n`)).status, 414);
  assert.equal((await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(200_000)}\r\n\r\n`)).status, 431);
  for (const text of ['\x16\x03\x01\x02\x00\x01\x00\x01', 'GET\r\n\r\n', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n']) {
    const answer = await raw(text, 1500);
    assert.ok(!answer.text || answer.status >= 400, JSON.stringify(answer));
  }
  for (const path of ['/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/assets/..%2f..%2f..%2fetc%2fpasswd', '/api/v1/cameras/..%2f..%2f..%2fetc%2fpasswd', '//etc/passwd', '/api/v1/%00', '/api/v1/cameras/%ff']) {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.doesNotMatch(answer.text, /root:/, path);
    assert.ok([200, 400, 401, 404].includes(answer.status), `${path}: ${answer.status}`);
  }
  assert.equal((await g.get('/api/v1/cameras?q=%ff')).status, 400);
  assert.equal((await g.get(`/api/v1/cameras?${'a=1&'.repeat(100)}`)).status, 400);
});

test('unknown paths, methods and parameters are said', async () => {
  const none = await g.get('/api/v1/nothing');
  assert.equal(none.status, 404);
  assert.equal(none.headers.get('content-type'), 'application/problem+json');
  const method = await g.request('PUT', '/api/v1/cameras', { json: {} });
  assert.equal(method.status, 405);
  assert.equal(method.headers.get('allow'), 'GET, HEAD, POST');
  assert.equal((await g.get('/api/v1/cameras?limit=0')).status, 422);
  assert.equal((await g.get('/api/v1/cameras?cursor=zz')).status, 422);
  const head = await g.request('HEAD', '/api/v1/cameras');
  assert.equal(head.status, 200);
  assert.equal(head.text, '');
});

test('answers carry their security headers', async () => {
  const page = await g.get('/', { token: null });
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-security-policy'), /default-src 'self'.*frame-ancestors 'none'/);
  for (const answer of [page, await g.get('/api/v1/cameras'), await g.get('/nothing.js')]) {
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(answer.headers.get('referrer-policy'), 'no-referrer');
    assert.match(answer.headers.get('content-security-policy'), /frame-ancestors 'none'/);
  }
});

test('the cookie signs in, and a change by it needs the own origin', async () => {
  const answer = await g.post('/api/v1/sessions', { username: 'admin', password: g.adminPassword() }, {
    token: null,
    headers: { 'x-sharpeyes-cookie': '1', origin: g.url },
  });
  assert.equal(answer.status, 201);
  const set = answer.headers.get('set-cookie');
  assert.match(set, /HttpOnly/);
  assert.match(set, /SameSite=Strict/);
  assert.match(set, /Path=\//);
  const cookie = set.split(';')[0];
  const department = (code) => ({ code, name: code });
  const read = await g.get('/api/v1/cameras', { token: null, headers: { cookie, origin: 'http://evil.example' } });
  assert.equal(read.status, 200);
  for (const origin of ['http://evil.example', 'null', `${g.url}.evil.example`, undefined]) {
    const headers = origin ? { cookie, origin } : { cookie };
    const write = await g.post('/api/v1/departments', department('never'), { token: null, headers });
    assert.equal(write.status, 403, String(origin));
  }
  const own = await g.post('/api/v1/departments', department('by-cookie'), { token: null, headers: { cookie, origin: g.url } });
  assert.equal(own.status, 201);
  const foreign = await g.post('/api/v1/sessions', { username: 'admin', password: g.adminPassword() }, {
    token: null,
    headers: { 'x-sharpeyes-cookie': '1', origin: 'http://evil.example' },
  });
  assert.equal(foreign.status, 403);
  const out = await g.delete('/api/v1/sessions/current', { token: null, headers: { cookie, origin: g.url } });
  assert.equal(out.status, 204);
  assert.equal((await g.get('/api/v1/cameras', { token: null, headers: { cookie } })).status, 401);
});

test('five failed sign-ins shut the door for that name', async () => {
  const guess = () => g.post('/api/v1/sessions', { username: 'nobody-here', password: 'wrong-password' }, { token: null });
  for (let i = 0; i < 5; i++) assert.equal((await guess()).status, 401);
  const shut = await guess();
  assert.equal(shut.status, 429);
  assert.ok(Number(shut.headers.get('retry-after')) > 0);
  assert.equal((await g.post('/api/v1/sessions', { username: 'admin', password: g.adminPassword() }, { token: null })).status, 201);
});

async function user(username, roles, department_id) {
  const made = await g.post('/api/v1/users', { username, roles, department_id, password: `Passw0rd-of-${username}` });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.json.initial_password, undefined);
  return { ...made.json, token: await g.tokenOf(username, `Passw0rd-of-${username}`) };
}

async function department(code) {
  const made = await g.post('/api/v1/departments', { code, name: `Department ${code}`, kind: 'traffic' });
  assert.equal(made.status, 201, made.text);
  return made.json;
}

test('roles decide, and departments stay apart', async () => {
  const mine = await department('mine');
  const other = await department('other');
  const admin = await user('dept-admin', ['department_admin'], mine.id);
  const worker = await user('worker', ['grid_worker'], mine.id);
  const hidden = (await g.post('/api/v1/cameras', camera('HIDDEN', { department_id: other.id }))).json;
  const as = (token) => ({ token });

  for (const [method, path, json] of [
    ['POST', '/api/v1/cameras', camera('NO')],
    ['GET', '/api/v1/users'],
    ['GET', '/api/v1/audit'],
    ['GET', '/metrics'],
    ['POST', '/api/v1/departments', { code: 'x', name: 'x' }],
    ['GET', '/api/v1/tokens'],
    ['GET', `/live/${hidden.id}/main.mp4`],
  ]) {
    const answer = await g.request(method, path, { json, token: worker.token });
    assert.equal(answer.status, 403, `${method} ${path}: ${answer.text}`);
  }
  const made = await g.post('/api/v1/cameras', camera('OWN'), as(admin.token));
  assert.equal(made.status, 201, made.text);
  assert.equal(made.json.department_id, mine.id);
  assert.equal((await g.post('/api/v1/cameras', camera('NO', { department_id: other.id }), as(admin.token))).status, 403);
  assert.equal((await g.patch('/api/v1/cameras/OWN', { department_id: other.id }, as(admin.token))).status, 403);
  for (const id of [hidden.id, 'HIDDEN']) {
    for (const [method, path, json] of [
      ['GET', ''],
      ['PATCH', '', { name: 'taken' }],
      ['DELETE', ''],
      ['GET', '/status'],
      ['GET', '/snapshot.jpg'],
      ['GET', '/recordings?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z'],
      ['GET', '/playback.mp4?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z'],
    ]) {
      const answer = await g.request(method, `/api/v1/cameras/${id}${path}`, { json, token: admin.token });
      assert.ok([403, 404].includes(answer.status), `${method} ${path}: ${answer.status} ${answer.text}`);
    }
    const live = await g.get(`/live/${id}/main.mp4`, as(admin.token));
    assert.ok([403, 404].includes(live.status));
    assert.ok([403, 404, 422].includes((await g.post('/api/v1/tickets', { camera: id, action: 'live' }, as(admin.token))).status));
  }
  const seen = (await g.get('/api/v1/cameras', as(admin.token))).json.items.map((c) => c.code);
  assert.deepEqual(seen, ['OWN']);
  const users = (await g.get('/api/v1/users', as(admin.token))).json.items.map((u) => u.username);
  assert.deepEqual(users.sort(), ['dept-admin', 'worker']);
  const ofOthers = await g.get(`/api/v1/users?department_id=${other.id}`, as(admin.token));
  assert.deepEqual(ofOthers.json.items, [], 'what was asked for, within what may be seen');
  assert.equal((await g.get('/api/v1/users?department_id=mine', as(admin.token))).json.items.length, 2);
  assert.equal((await g.get('/api/v1/users/admin', as(admin.token))).status, 404);
  await g.delete(`/api/v1/cameras/${hidden.id}`);
  const denied = (await g.get('/api/v1/audit?action=access.denied')).json.items;
  assert.ok(denied.some((entry) => entry.username === 'dept-admin' && entry.target_id === hidden.id));
});

test('users: roles are checked, passwords change, the last administrator stays', async () => {
  assert.equal((await g.post('/api/v1/users', { username: 'x y' })).status, 422);
  assert.equal((await g.post('/api/v1/users', { username: 'x', roles: ['king'] })).status, 422);
  assert.equal((await g.post('/api/v1/users', { username: 'x', password: 'short' })).status, 422);
  const made = await g.post('/api/v1/users', { username: 'fresh', roles: ['operator'] });
  assert.equal(made.status, 201);
  assert.ok(made.json.initial_password.length >= 12);
  assert.equal((await g.post('/api/v1/users', { username: 'fresh' })).status, 409);
  const token = await g.tokenOf('fresh', made.json.initial_password);
  const path = `/api/v1/users/${made.json.id}/password`;
  assert.equal((await g.post(path, { password: 'a-new-password' }, { token })).status, 422);
  assert.equal((await g.post(path, { password: 'a-new-password', current_password: 'no' }, { token })).status, 422);
  assert.equal((await g.post(path, { password: 'a-new-password', current_password: made.json.initial_password }, { token })).status, 204);
  assert.equal((await g.get('/api/v1/cameras', { token })).status, 401, 'old sessions end');
  const again = await g.tokenOf('fresh', 'a-new-password');
  assert.equal((await g.patch(`/api/v1/users/${made.json.id}`, { enabled: false })).status, 200);
  assert.equal((await g.get('/api/v1/cameras', { token: again })).status, 401, 'a disabled user is out');
  const me = (await g.get('/api/v1/sessions/current')).json.user;
  assert.ok(me.permissions.includes('user.write'));
  assert.ok(me.roles.includes('administrator'));
  assert.equal(me.department.id, me.department_id);
  assert.equal((await g.patch(`/api/v1/users/${me.id}`, { enabled: false })).status, 409);
  assert.equal((await g.patch(`/api/v1/users/${me.id}`, { roles: ['operator'] })).status, 409);
});

test('API tokens are shown once and can be revoked', async () => {
  const made = await g.post('/api/v1/tokens', { name: 'box' });
  assert.equal(made.status, 201);
  assert.equal((await g.get('/api/v1/cameras', { token: made.json.token })).status, 200);
  const listed = await g.get('/api/v1/tokens');
  assert.ok(listed.json.items.some((t) => t.id === made.json.id));
  assert.ok(!listed.text.includes(made.json.token));
  assert.equal((await g.delete(`/api/v1/tokens/${made.json.id}`)).status, 204);
  assert.equal((await g.get('/api/v1/cameras', { token: made.json.token })).status, 401);
});

test('cameras: made, read, changed, deleted; secrets stay inside', async () => {
  const made = await g.post('/api/v1/cameras', camera('42000000001320000001'));
  assert.equal(made.status, 201, made.text);
  const { id } = made.json;
  assert.equal(made.headers.get('location'), `/api/v1/cameras/${id}`);
  assert.equal(made.json.record.mode, 'continuous');
  assert.equal(made.json.record.retention_days, 30);
  assert.equal(made.json.location, null);
  assert.deepEqual(made.json.streams, [
    {
      role: 'main',
      url: 'rtsp://127.0.0.1:9/stream',
      username: 'root',
      transport: 'auto',
      engine: 'auto',
      tls_fingerprint: null,
      has_password: true,
    },
  ]);
  assert.equal((await g.post('/api/v1/cameras', camera('42000000001320000001'))).status, 409);

  const read = await g.get('/api/v1/cameras/42000000001320000001');
  assert.equal(read.json.id, id);
  assert.equal(read.json.state, 'disabled');
  const etag = read.headers.get('etag');
  const renamed = await g.patch(`/api/v1/cameras/${id}`, { name: '路口', location: { lat: 29.8, lon: 114.3 } }, { headers: { 'if-match': etag } });
  assert.equal(renamed.status, 200, renamed.text);
  assert.equal(renamed.json.streams[0].has_password, true, 'a change of the name keeps the password');
  const stale = await g.patch(`/api/v1/cameras/${id}`, { name: 'late' }, { headers: { 'if-match': etag } });
  assert.equal(stale.status, 412);
  assert.equal((await g.delete(`/api/v1/cameras/${id}`, { headers: { 'if-match': etag } })).status, 412);

  const streams = (stream) => ({ streams: [{ role: 'main', ...stream }] });
  const path = await g.patch(`/api/v1/cameras/${id}`, streams({ url: 'rtsp://127.0.0.1:9/other' }));
  assert.equal(path.json.streams[0].has_password, true, 'the same host and port keep it');
  const moved = await g.patch(`/api/v1/cameras/${id}`, streams({ url: 'rtsp://127.0.0.1:10/other' }));
  assert.equal(moved.json.streams[0].has_password, false, 'another port clears it');
  const given = await g.patch(`/api/v1/cameras/${id}`, streams({ url: 'rtsp://127.0.0.2:10/other', username: 'u', password: 'canary@Secret2' }));
  assert.equal(given.json.streams[0].has_password, true);

  const bad = await g.post('/api/v1/cameras', { code: 'a b', streams: [{ role: 'third', url: 'x' }], location: { lat: 91, lon: 0 }, record: { mode: 'sometimes' } });
  assert.equal(bad.status, 422);
  const fields = bad.json.errors.map((e) => e.field);
  for (const field of ['code', 'name', 'location/lat', 'record/mode', 'streams/0/role']) assert.ok(fields.includes(field), `${field} in ${fields}`);
  for (const url of ['file:///etc/passwd', 'exec:id', 'rtsp://127.0.0.1/a\r\nX: y', 'rtsp://u%0d%0aX@127.0.0.1/', 'rtsp://169.254.169.254/', 'rtsp://8.8.8.8/x']) {
    const answer = await g.post('/api/v1/cameras', { name: 'x', streams: [{ role: 'main', url }] });
    assert.equal(answer.status, 422, `${url}: ${answer.text}`);
    assert.match(answer.json.errors[0].field, /^streams/, url);
  }

  const listed = await g.get('/api/v1/cameras?q=%E8%B7%AF&state=disabled');
  assert.deepEqual(listed.json.items.map((c) => c.id), [id]);
  assert.deepEqual((await g.get('/api/v1/cameras?state=live')).json.items, []);
  const bogus = await g.get('/api/v1/cameras?state=bogus');
  assert.equal(bogus.status, 422);
  assert.deepEqual(bogus.json.errors.map((e) => e.field), ['state']);
  assert.equal((await g.get(`/api/v1/cameras/${id}/status`)).json.state, 'disabled');
  for (const answer of [made, read, given, listed, await g.get('/api/v1/audit?limit=1000'), await g.get('/metrics')]) {
    assert.doesNotMatch(answer.text, /canary/);
  }
  assert.doesNotMatch(g.log, /canary/);
  const both = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => g.patch(`/api/v1/cameras/${id}`, { name })));
  assert.ok(both.every((a) => a.status === 200), `changes without If-Match: ${both.map((a) => a.status)}`);
  assert.equal((await g.delete(`/api/v1/cameras/${id}`)).status, 204);
  assert.equal((await g.get(`/api/v1/cameras/${id}`)).status, 404);
});

test('a password that is not escaped in the URL is not taken for its path', async () => {
  for (const password of ['sh0wn#1', '12/sh0wn', '12?sh0wn']) {
    const answer = await g.post('/api/v1/cameras', camera(undefined, { name: 'bare', streams: [{ role: 'main', url: `rtsp://root:${password}@127.0.0.1:9/stream` }] }));
    assert.equal(answer.status, 422, password);
    assert.equal(answer.json.errors[0].field, 'streams/0/url');
    assert.doesNotMatch(answer.text, /sh0wn/);
  }
  assert.doesNotMatch((await g.get('/api/v1/audit?limit=1000')).text, /sh0wn/);
  assert.doesNotMatch(g.log, /sh0wn/);
});

test('lists are paged', async () => {
  for (const n of [1, 2, 3]) assert.equal((await g.post('/api/v1/cameras', camera(`PAGE${n}`))).status, 201);
  const seen = [];
  let cursor = '';
  do {
    const page = (await g.get(`/api/v1/cameras?q=PAGE&limit=2${cursor ? `&cursor=${cursor}` : ''}`)).json;
    seen.push(...page.items.map((c) => c.code));
    cursor = page.next_cursor;
  } while (cursor);
  assert.deepEqual(seen, ['PAGE1', 'PAGE2', 'PAGE3']);
  const entries = (await g.get('/api/v1/audit?limit=2')).json;
  const older = (await g.get(`/api/v1/audit?limit=2&cursor=${entries.next_cursor}`)).json;
  assert.ok(older.items[0].number < entries.items[1].number);
});

test('the same Idempotency-Key acts once', async () => {
  const headers = { 'idempotency-key': 'make-one' };
  const first = await g.post('/api/v1/cameras', camera('ONCE'), { headers });
  const second = await g.post('/api/v1/cameras', camera('ONCE'), { headers });
  assert.equal(first.status, 201);
  assert.equal(second.status, 201);
  assert.deepEqual(second.json, first.json);
  assert.equal(second.headers.get('idempotent-replayed'), 'true');
  assert.equal((await g.post('/api/v1/cameras', camera('TWICE'), { headers })).status, 422);
  const failed = { 'idempotency-key': 'fails-first' };
  assert.equal((await g.post('/api/v1/cameras', camera('ONCE'), { headers: failed })).status, 409);
  assert.equal((await g.post('/api/v1/cameras', camera('LATER'), { headers: failed })).status, 201, 'a failure is not kept');
  const both = await Promise.all([1, 2, 3, 4].map(() => g.post('/api/v1/cameras', camera('RACE'), { headers: { 'idempotency-key': 'race' } })));
  assert.ok(both.every((a) => [201, 409].includes(a.status)), both.map((a) => a.status).join());
  assert.ok(both.some((a) => a.status === 201));
  for (const [path, body] of [['tokens', { name: 'k' }], ['users', { username: 'kept', roles: ['operator'] }], ['tickets', { camera: 'ONCE', action: 'live' }]]) {
    const key = { 'idempotency-key': `secret-${path}` };
    const shown = await g.post(`/api/v1/${path}`, body, { headers: key });
    const again = await g.post(`/api/v1/${path}`, body, { headers: key });
    assert.equal(shown.status, 201, shown.text);
    assert.equal(again.status, 201, again.text);
    assert.deepEqual(again.json, shown.json, 'who did not see the answer gets it');
    const secret = shown.json.token ?? shown.json.initial_password ?? shown.json.ticket;
    for (const file of ['sharpeyes.db', 'sharpeyes.db-wal']) assert.ok(!readFileSync(join(g.dir, file)).includes(secret), `${path} in ${file}`);
  }
  const kept = (await g.get('/api/v1/users/kept')).json;
  const twice = () => g.post(`/api/v1/users/${kept.id}/password`, { password: 'Passw0rd-kept-once' }, { headers: { 'idempotency-key': 'password' } });
  assert.deepEqual([(await twice()).status, (await twice()).status], [204, 204]);
});

test('an answer under an Idempotency-Key survives a crash', async () => {
  const other = await Gateway.start();
  const headers = { 'idempotency-key': 'before-the-crash' };
  const first = await other.post('/api/v1/cameras', camera('CRASH'), { headers });
  assert.equal(first.status, 201);
  await other.kill();
  await other.restart();
  const again = await other.post('/api/v1/cameras', camera('CRASH'), { headers });
  assert.equal(again.status, 201, again.text);
  assert.deepEqual(again.json, first.json);
  assert.equal((await other.get('/api/v1/cameras')).json.items.length, 1);
  await other.stop();
});

test('a change based on an older state is refused, whatever it is of', async () => {
  const department = (await g.post('/api/v1/departments', { code: 'etag', name: 'First' })).json;
  const user = (await g.post('/api/v1/users', { username: 'etag', password: 'Passw0rd-of-etag', department_id: department.id, roles: ['operator'] })).json;
  for (const [path, member] of [[`/api/v1/departments/${department.id}`, 'name'], [`/api/v1/users/${user.id}`, 'display_name']]) {
    const seen = (await g.get(path)).headers.get('etag');
    assert.match(seen, /^"\d+"$/, path);
    const first = await g.patch(path, { [member]: 'Second' }, { headers: { 'if-match': seen } });
    assert.equal(first.status, 200, first.text);
    const stale = await g.patch(path, { [member]: 'Third' }, { headers: { 'if-match': seen } });
    assert.equal(stale.status, 412, path);
    assert.equal((await g.get(path)).json[member], 'Second');
    assert.equal((await g.patch(path, { [member]: 'Third' }, { headers: { 'if-match': '"of-no-version"' } })).status, 412);
    assert.equal((await g.patch(path, { [member]: 'Third' }, { headers: { 'if-match': '*' } })).status, 200);
  }
  assert.equal((await g.patch(`/api/v1/users/${user.id}`, { enabled: false })).status, 200, 'and without If-Match');
});

test('tickets open one camera and nothing else', async () => {
  const one = (await g.post('/api/v1/cameras', camera('TICKET1'))).json;
  const two = (await g.post('/api/v1/cameras', camera('TICKET2'))).json;
  const ticket = await g.post('/api/v1/tickets', { camera: 'TICKET1', action: 'snapshot' });
  assert.equal(ticket.status, 201);
  const path = (id) => `/api/v1/cameras/${id}/snapshot.jpg?ticket=${ticket.json.ticket}`;
  assert.equal((await g.get(path(one.id), { token: null })).status, 503, 'let in; not live');
  assert.equal((await g.get(path('TICKET1'), { token: null })).status, 503);
  assert.equal((await g.get(path(two.id), { token: null })).status, 401);
  assert.equal((await g.get(`/live/${one.id}/main.mp4?ticket=${ticket.json.ticket}`, { token: null })).status, 401);
  assert.equal((await g.get(`/api/v1/cameras/${one.id}?ticket=${ticket.json.ticket}`, { token: null })).status, 401);
  const elsewhere = (await g.post('/api/v1/departments', { code: 'elsewhere', name: 'Elsewhere' })).json;
  const made = await g.post('/api/v1/users', { username: 'elsewhere', password: 'Passw0rd-elsewhere', department_id: elsewhere.id, roles: ['department_admin'] });
  assert.equal(made.status, 201, made.text);
  const token = await g.tokenOf('elsewhere', 'Passw0rd-elsewhere');
  for (const action of ['live', 'playback', 'snapshot']) {
    const none = await g.post('/api/v1/tickets', { camera: 'none', action }, { token });
    assert.equal(none.status, 404);
    const foreign = await g.post('/api/v1/tickets', { camera: 'TICKET1', action }, { token });
    assert.deepEqual(foreign.json, none.json, 'whose camera it is tells nobody that it is there');
  }
  assert.doesNotMatch(g.log, new RegExp(ticket.json.ticket));
});

/** Server-sent events as they come: {events, text, closed, close()}. */
async function listen(options = {}) {
  const stop = new AbortController();
  const response = await g.fetch(`/api/v1/events${options.query ?? ''}`, { signal: stop.signal, ...options });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /^text\/event-stream/);
  const heard = { events: [], text: '', closed: false, close: () => stop.abort() };
  (async () => {
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const part of chunksOf(response, stop.signal)) {
        const text = decoder.decode(part, { stream: true });
        heard.text += text;
        const blocks = (rest + text).split('\n\n');
        rest = blocks.pop();
        for (const block of blocks) {
          const event = Object.fromEntries(block.split('\n').map((l) => [l.slice(0, l.indexOf(':')), l.slice(l.indexOf(':') + 2)]));
          if (event.event) heard.events.push({ id: event.id, type: event.event, data: JSON.parse(event.data) });
        }
      }
    } catch {
      // aborted
    }
    heard.closed = true;
  })();
  return heard;
}

const report = (more = {}) => g.post('/api/v1/signals', { source: 'test', type: 'smoke', occurred_at: new Date().toISOString(), location: { lat: 29.8, lon: 114.3 }, ...more });

test('the event stream tells what happens, and resumes', async () => {
  const first = await listen();
  const posted = await report({ key: 'a' });
  assert.equal(posted.status, 202, posted.text);
  const incident = posted.json.items[0].incident_id;
  const created = await until(() => first.events.find((e) => e.type === 'incident.created'), 10_000, 'incident.created');
  assert.equal(created.data.id, incident);
  assert.match(created.id, /^[0-9a-f]+-\d+$/);
  first.close();
  const missed = (await report({ key: 'b' })).json.items[0].incident_id;
  for (const options of [{ headers: { 'last-event-id': created.id } }, { query: `?last_event_id=${created.id}` }]) {
    const second = await listen(options);
    await until(() => second.events.some((e) => e.type === 'incident.created' && e.data.id === missed), 10_000, 'the missed one');
    assert.ok(!second.events.some((e) => e.id === created.id), 'not twice');
    second.close();
  }
  for (const id of ['1', 'abc-1', `${created.id.split('-')[0]}-999999`, `${created.id.split('-')[0]}-x`]) {
    const old = await listen({ headers: { 'last-event-id': id } });
    await until(() => old.events[0]?.type === 'reset', 10_000, `reset after ${id}`);
    old.close();
  }
});

test('the event stream keeps alive, and shows each only what is theirs', async () => {
  const worker = await g.tokenOf('worker', 'Passw0rd-of-worker');
  const theirs = await listen({ token: worker });
  const mine = await listen();
  const camera1 = (await g.post('/api/v1/cameras', camera('EVENT', { enabled: true }))).json;
  await until(() => mine.events.some((e) => e.type === 'camera.state' && e.data.id === camera1.id), 10_000, 'camera.state');
  await until(() => /^: /m.test(theirs.text), 4000, 'a keep-alive');
  assert.ok(!theirs.events.some((e) => e.data.id === camera1.id), 'of another department');
  assert.equal((await g.delete(`/api/v1/cameras/${camera1.id}`)).status, 204);
  await until(() => mine.events.some((e) => e.type === 'camera.deleted' && e.data.id === camera1.id), 10_000, 'camera.deleted');
  assert.ok(mine.events.some((e) => e.type === 'camera.created' && e.data.code === 'EVENT'));
  mine.close();
  theirs.close();
  await until(async () => (await g.metric('sharpeyes_http_streams')) === 0, 10_000, 'closed streams are noticed');
});

test('signing out ends open streams within 5 s', async () => {
  const token = await g.tokenOf('worker', 'Passw0rd-of-worker');
  const stream = await listen({ token });
  await sleep(200);
  assert.equal((await g.delete('/api/v1/sessions/current', { token })).status, 204);
  await until(() => stream.closed, 5000, 'the stream has ended');
  assert.ok((await g.metric('sharpeyes_http_streams_ended_total{cause="revoked"}')) >= 1);
});

test('a reader that stops reading is cut off, and nobody else notices', async () => {
  const [host, port] = g.address.split(':');
  const stuck = net.connect(Number(port), host);
  let closed = false;
  stuck.on('error', () => {});
  stuck.on('close', () => (closed = true));
  stuck.write(`GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${g.token}\r\n\r\n`);
  await once(stuck, 'data');
  stuck.pause();
  const reader = await listen();
  const before = await g.metric('sharpeyes_http_streams_ended_total{cause="stalled"}');
  const many = (round) => Array.from({ length: 1000 }, (_, i) => ({ source: 'test', type: 'smoke', key: `${round}-${i}`, occurred_at: new Date().toISOString(), message: 'm'.repeat(400), location: { lat: 29.8, lon: 114.3 } }));
  for (let round = 0; round < 2; round++) {
    const posted = await g.post('/api/v1/signals', many(round));
    assert.equal(posted.status, 202, posted.text.slice(0, 300));
  }
  await until(async () => (await g.metric('sharpeyes_http_streams_ended_total{cause="stalled"}')) > before, 10_000, 'the stalled one is cut');
  const heard = () => reader.events.filter((e) => e.type === 'incident.created').length;
  await until(() => heard() >= 2000 || reader.closed, 30_000, 'the other one hears all');
  assert.equal(heard(), 2000);
  assert.ok(!reader.closed, 'the other one goes on');
  stuck.resume();
  await until(() => closed, 10_000, 'its socket is closed');
  reader.close();
});

function once(emitter, name) {
  return new Promise((done) => emitter.once(name, done));
}

test('many slow and idle connections do not keep others out', async () => {
  const [host, port] = g.address.split(':');
  const sockets = [];
  for (let i = 0; i < 500; i++) {
    const socket = net.connect(Number(port), host);
    socket.on('error', () => {});
    if (i % 2) socket.write('GET /api/v1/cameras HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    sockets.push(socket);
  }
  await until(async () => (await g.metric('sharpeyes_http_connections')) > 500, 10_000, 'they are all there');
  const times = [];
  for (let i = 0; i < 50; i++) {
    const started = performance.now();
    assert.equal((await g.get('/api/v1/roles')).status, 200);
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  assert.ok(times[25] < 500, `half of them took more than ${times[25]} ms`);
  assert.ok(times[49] < 5000, `${times[49]} ms: as long as a slow one is waited for (http.headers_s is 10)`);
  for (const socket of sockets) socket.destroy();
  await until(async () => (await g.metric('sharpeyes_http_connections')) < 50, 10_000, 'they are gone');
});

test('bytes can be asked for in part', async () => {
  const whole = await g.get('/api/v1/openapi.yaml');
  const part = await g.get('/api/v1/openapi.yaml', { headers: { range: 'bytes=2-5' } });
  assert.equal(part.status, 206);
  assert.equal(part.text, whole.text.slice(2, 6));
  assert.match(part.headers.get('content-range'), /^bytes 2-5\/\d+$/);
  const none = await g.get('/api/v1/openapi.yaml', { headers: { range: 'bytes=99999999-' } });
  assert.equal(none.status, 416);
  assert.match(none.headers.get('content-range'), /^bytes \*\/\d+$/);
});

test('more bodies than there is room for are refused, and the room comes back', async () => {
  const other = await Gateway.start({ set: { 'http.body_timeout_s': '60' } }); // the room comes back sooner
  const [host, port] = other.address.split(':');
  const sockets = [];
  const answers = [];
  for (let i = 0; i < 12; i++) {
    const socket = net.connect(Number(port), host);
    socket.on('error', () => {});
    socket.on('data', (data) => answers.push(data.toString().slice(0, 12)));
    socket.write(`POST /api/v1/signals HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${other.token}\r\nContent-Length: 16000000\r\n\r\n`);
    socket.write('x'.repeat(15_000_000));
    sockets.push(socket);
  }
  await until(() => answers.includes('HTTP/1.1 503'), 20_000, 'some are refused');
  assert.ok((await other.metric('sharpeyes_http_bodies_refused_total')) >= 1);
  for (const socket of sockets) socket.destroy();
  await until(async () => (await other.post('/api/v1/departments', { code: `room-${Date.now()}`, name: 'x' })).status === 201, 20_000, 'room again');
  await other.stop();
});

test('the console is served as it was built', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sharpeyes-console-'));
  mkdirSync(join(dir, 'assets'));
  writeFileSync(join(dir, 'index.html'), '<!doctype html><title>built</title>');
  writeFileSync(join(dir, 'assets', 'app-1a2b.js'), 'export {};');
  writeFileSync(join(dir, '.secret'), 'no');
  const other = await Gateway.start({ set: { 'http.console_dir': dir }, signIn: false });
  try {
    for (const path of ['/', '/index.html', '/incidents', '/incidents/42']) {
      const page = await other.get(path, { token: null });
      assert.equal(page.status, 200, path);
      assert.match(page.text, /built/);
      assert.match(page.headers.get('content-type'), /^text\/html/);
      assert.equal(page.headers.get('cache-control'), 'no-cache');
    }
    const script = await other.get('/assets/app-1a2b.js', { token: null });
    assert.match(script.headers.get('content-type'), /^text\/javascript/);
    assert.match(script.headers.get('cache-control'), /immutable/);
    const same = await other.get('/assets/app-1a2b.js', { token: null, headers: { 'if-none-match': script.headers.get('etag') } });
    assert.equal(same.status, 304);
    for (const path of ['/assets/none.js', '/.secret', '/api/v1/none', '/api/none']) {
      assert.equal((await other.get(path, { token: null })).status, 404, path);
    }
  } finally {
    await other.stop();
    rmSync(dir, { recursive: true });
  }
});

test('a locked database holds up no reader', async () => {
  const lock = spawn('sqlite3', [join(g.dir, 'sharpeyes.db')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(lock, 'exit');
  lock.stdin.write('.timeout 5000\nBEGIN IMMEDIATE;\nSELECT 1;\n');
  await once(lock.stdout, 'data');
  const writes = Array.from({ length: 8 }, (_, i) => g.post('/api/v1/departments', { code: `locked-${i}`, name: 'x' }, { timeout: 60_000 }));
  await sleep(200);
  for (let i = 0; i < 10; i++) {
    const started = Date.now();
    assert.equal((await g.get('/api/v1/roles')).status, 200);
    assert.ok([200, 503].includes((await g.get('/readyz')).status));
    assert.ok(Date.now() - started < 3000, `${Date.now() - started} ms: a write waits 5 s for the lock`);
  }
  lock.stdin.end('ROLLBACK;\n');
  await exited;
  for (const answer of await Promise.all(writes)) {
    assert.ok([201, 503].includes(answer.status), answer.text);
    if (answer.status === 503) assert.ok(Number(answer.headers.get('retry-after')) > 0);
  }
  await until(async () => (await g.post('/api/v1/departments', { code: `free-${Date.now()}`, name: 'x' })).status === 201, 10_000, 'writes go again');
  await until(async () => (await g.get('/readyz')).status === 200, 10_000, 'ready again');
});

test('the audit chain is whole and can be filtered', async () => {
  const report1 = (await g.get('/api/v1/audit/verify')).json;
  assert.equal(report1.ok, true);
  assert.equal(report1.first_bad, null);
  assert.ok(report1.entries > 20);
  const made = (await g.get('/api/v1/audit?action=camera.create')).json.items;
  assert.ok(made.length > 5);
  assert.ok(made.every((entry) => entry.action === 'camera.create' && entry.username));
  for (const action of ['user.create', 'user.password', 'token.create']) {
    const entries = await g.get(`/api/v1/audit?action=${action}`);
    assert.ok(entries.json.items.length > 0, action);
    assert.doesNotMatch(entries.text, /Passw0rd-of|a-new-password/, 'no password in the trail');
  }
  const later = await g.get('/api/v1/audit?from=2099-01-01T00:00:00Z');
  assert.deepEqual(later.json.items, []);
  assert.equal((await g.get('/api/v1/audit?from=yesterday')).status, 422);
});

test('readiness names its parts; health asks for nothing', async () => {
  const ready = await g.get('/readyz', { token: null });
  assert.equal(ready.json.ready, true);
  assert.equal(ready.json.parts.store.ready, true);
  assert.equal((await g.get('/healthz', { token: null })).json.status, 'ok');
});

test('a second daemon on the same data directory refuses', async () => {
  const second = spawn(program(), ['serve', '--set', `gateway.data_dir=${g.dir}`, '--set', 'http.listen=127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  second.stdout.on('data', (data) => (said += data));
  second.stderr.on('data', (data) => (said += data));
  const code = await Promise.race([new Promise((done) => second.once('exit', done)), sleep(20_000).then(() => 'late')]);
  if (code === 'late') second.kill('SIGKILL');
  assert.equal(code, 1, said);
  assert.match(said, /already/);
});

test('SIGTERM ends it cleanly with streams and connections open', async () => {
  const other = await Gateway.start();
  const stop = new AbortController();
  const response = await other.fetch('/api/v1/events', { signal: stop.signal });
  const [host, port] = other.address.split(':');
  const idle = net.connect(Number(port), host);
  idle.on('error', () => {});
  const reader = response.body.getReader();
  await reader.read();
  assert.deepEqual(await other.stop(), { code: 0, signal: null });
  await assert.doesNotReject(reader.read().catch(() => {}));
  idle.destroy();
});
