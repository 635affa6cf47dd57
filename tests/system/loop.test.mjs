// The closed loop from outside: seeds, a signal, its incident in the right grid, its case, every step of it to the
// evaluation, and what each of them refuses.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Gateway, chunksOf, program, sleep, until } from './lib/gateway.mjs';

const seeds = resolve(dirname(fileURLToPath(import.meta.url)), '../../seeds');

let g;
let integrator; // an API token of the analytics user
const users = {}; // username → password, as the seed report shows them once

function run(...words) {
  return new Promise((done, failed) => {
    const child = spawn(program(), [...words, '--set', `gateway.data_dir=${g.dir}`], { timeout: 60_000 });
    let out = '';
    let err = '';
    child.stdout.on('data', (data) => (out += data));
    child.stderr.on('data', (data) => (err += data));
    child.on('error', failed);
    child.on('close', (code) => done({ code, out, err }));
  });
}

/** The event stream from now on: {events, stop}. */
async function listen(token = g.token) {
  const abort = new AbortController();
  const response = await g.fetch('/api/v1/events', { token, signal: abort.signal });
  assert.equal(response.status, 200);
  const events = [];
  const reading = (async () => {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of chunksOf(response, abort.signal)) {
      rest += decoder.decode(chunk, { stream: true });
      for (let end; (end = rest.indexOf('\n\n')) >= 0; rest = rest.slice(end + 2)) {
        const field = (name) => rest.slice(0, end).match(new RegExp(`^${name}: ?(.*)$`, 'm'))?.[1];
        if (field('data')) events.push({ type: field('event'), data: JSON.parse(field('data')), at: Date.now() });
      }
    }
  })().catch(() => {});
  return { events, stop: () => (abort.abort(), reading) };
}

const signal = (more) => ({ source: 'box-1', type: 'illegal_parking', occurred_at: new Date().toISOString(), ...more });
const act = (id, body, options) => g.post(`/api/v1/cases/${id}/transitions`, body, options);
const names = (actions) => actions.map((action) => action.name);

/** Posts one signal and waits for its incident's case. */
async function openCase(more) {
  const posted = await g.post('/api/v1/signals', signal(more), { token: integrator });
  assert.equal(posted.status, 202, posted.text);
  const incident = (await g.get(`/api/v1/incidents/${posted.json.items[0].incident_id}`)).json;
  assert.ok(incident.case_id, 'a case was opened by rule');
  return (await g.get(`/api/v1/cases/${incident.case_id}`)).json;
}

before(async () => {
  g = await Gateway.start();
  const loaded = await run('seed', 'load', seeds, '--json');
  assert.equal(loaded.code, 0, loaded.err);
  const report = JSON.parse(loaded.out);
  for (const { username, password } of report.new_users) users[username] = password;
  const analytics = (await g.get('/api/v1/users')).json.items.find((user) => user.username === 'analytics');
  const made = await g.post('/api/v1/tokens', { name: 'box', user_id: analytics.id });
  assert.equal(made.status, 201, made.text);
  integrator = made.json.token;
});
after(async () => {
  await g?.stop();
});

test('seeds load once, and say what they did', async () => {
  const again = await run('seed', 'load', seeds, '--json');
  assert.equal(again.code, 0, again.err);
  const report = JSON.parse(again.out);
  assert.deepEqual(report.grids, { added: 0, changed: 0, unchanged: 48 });
  assert.deepEqual(report.cameras, { added: 0, changed: 0, unchanged: 12 });
  assert.deepEqual(report.new_users, []);
  const wrong = await run('seed', 'load', resolve(seeds, 'kinds'));
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /seed/);
});

test('the county is there as data', async () => {
  const divisions = (await g.get('/api/v1/divisions?parent_id=421200000000')).json.items;
  assert.deepEqual(divisions.map((d) => d.name).includes('咸安区'), true);
  assert.equal(divisions.length, 6);
  const grids = (await g.get('/api/v1/grids?limit=1000')).json;
  assert.equal(grids.type, 'FeatureCollection');
  assert.equal(grids.features.length, 48);
  assert.equal(grids.features[0].geometry.type, 'Polygon');
  const tags = (await g.get('/api/v1/tags?q=乱停放')).json.items;
  assert.ok(tags.some((tag) => tag.code === '09009' && tag.aliases.includes('illegal_parking')));
  assert.equal(tags[0].standard, 'GB/T 47678.5');
  const kind = (await g.get('/api/v1/case-kinds/grid-incident?lang=en')).json;
  assert.equal(kind.name, 'Grid incident');
  assert.equal((await g.get('/api/v1/rules')).json.items.length, 7);

  // Pages follow one another without gap or repetition.
  const seen = [];
  for (let cursor = ''; cursor !== null; ) {
    const page = (await g.get(`/api/v1/grids?limit=7${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)).json;
    seen.push(...page.features.map((feature) => feature.properties.code));
    cursor = page.next_cursor;
  }
  assert.equal(new Set(seen).size, 48);
  assert.equal(seen.length, 48);
});

test('a code works where an id does', async () => {
  const camera = (await g.get('/api/v1/cameras/cam01')).json;
  const grid = (await g.get(`/api/v1/grids/${camera.grid_id}`)).json.properties.code;
  const posted = await g.post('/api/v1/signals', signal({ camera: 'cam01', type: 'fallen_tree_for_codes' }), { token: integrator });
  assert.equal(posted.status, 202, posted.text);
  const id = posted.json.items[0].incident_id;
  for (const query of [`grid_id=${grid}`, `grid_id=${camera.grid_id}`, 'camera_id=cam01', `camera_id=${camera.id}`, 'department_id=traffic']) {
    const { items } = (await g.get(`/api/v1/incidents?tag=other&${query}`)).json;
    assert.ok(items.some((incident) => incident.id === id), query);
  }
  for (const query of [`grid_id=${grid}`, 'department_id=traffic'])
    assert.ok((await g.get(`/api/v1/cameras?${query}`)).json.items.some((c) => c.id === camera.id), query);
  assert.deepEqual((await g.get('/api/v1/incidents?camera_id=none')).json.items, []);
  const opened = await g.request('POST', `/api/v1/incidents/${id}/case`);
  assert.equal(opened.status, 201, `without a body: ${opened.text}`);

  const streams = [{ role: 'main', url: 'rtsp://127.0.0.1:9/x' }];
  const placed = await g.post('/api/v1/cameras', { name: 'placed', enabled: false, grid_id: grid, streams });
  assert.equal(placed.status, 201, placed.text);
  assert.equal(placed.json.grid_id, camera.grid_id);
  const wrong = await g.post('/api/v1/cameras', { name: 'lost', enabled: false, grid_id: 'nowhere', streams });
  assert.equal(wrong.status, 422);
  assert.deepEqual(wrong.json.errors.map((e) => e.field), ['grid_id']);
  assert.equal((await g.patch(`/api/v1/cameras/${placed.json.id}`, { grid_id: null })).json.grid_id, null);
  assert.equal((await g.delete(`/api/v1/cameras/${placed.json.id}`)).status, 204);
});

test('the county is changed as it was seen, or not at all', async () => {
  const path = '/api/v1/grids/421202001-04';
  const seen = await g.get(path);
  const { type, geometry, properties } = seen.json;
  const body = { type, geometry, properties: { ...properties, name: 'renamed' } };
  const first = await g.request('PUT', path, { json: body, headers: { 'if-match': seen.headers.get('etag') } });
  assert.equal(first.status, 200, first.text);
  assert.notEqual(first.headers.get('etag'), seen.headers.get('etag'));
  const stale = await g.request('PUT', path, { json: seen.json, headers: { 'if-match': seen.headers.get('etag') } });
  assert.equal(stale.status, 412, stale.text);
  const back = await g.request('PUT', path, { json: seen.json });
  assert.equal(back.status, 200, back.text);
  assert.equal((await g.get('/api/v1/case-kinds?limit=0')).status, 422);
});

test('a place is located, or the nearest grid with its distance', async () => {
  const camera = (await g.get('/api/v1/cameras/cam01')).json;
  const { lat, lon } = camera.location;
  const found = await g.get(`/api/v1/grids/locate?lat=${lat}&lon=${lon}`);
  assert.equal(found.status, 200);
  assert.equal(found.json.grid_id, camera.grid_id);
  assert.equal(found.json.distance_m, 0);
  const near = (await g.get('/api/v1/grids/locate?lat=29.8770&lon=114.32')).json;
  assert.ok(near.distance_m > 0 && near.distance_m <= 500, JSON.stringify(near));
  assert.equal((await g.get('/api/v1/grids/locate?lat=30.5&lon=114.32')).status, 404);
  const wrong = await g.get('/api/v1/grids/locate?lat=abc');
  assert.equal(wrong.status, 422);
  assert.deepEqual(wrong.json.errors.map((e) => e.field).sort(), ['lat', 'lon']);
});

test('from a signal to an evaluated case', async () => {
  const stream = await listen();
  const started = Date.now();
  const posted = await g.post('/api/v1/signals', [signal({ camera: 'cam01', message: 'van' })], { token: integrator });
  assert.equal(posted.status, 202);
  const { signal_id, incident_id } = posted.json.items[0];
  const seen = await until(
    () => ['incident.created', 'case.opened'].every((t) => stream.events.some((e) => e.type === t)) && stream.events,
    2000,
    'incident.created and case.opened on the event stream',
  );
  const created = seen.find((event) => event.type === 'incident.created');
  assert.ok(created.at - started < 1000, `${created.at - started} ms`);
  assert.equal(created.data.id, incident_id);

  const camera = (await g.get('/api/v1/cameras/cam01')).json;
  const incident = (await g.get(`/api/v1/incidents/${incident_id}`)).json;
  assert.equal(incident.tag, '09009');
  assert.equal(incident.status, 'in_progress');
  assert.equal(incident.camera_id, camera.id);
  assert.equal(incident.grid_id, camera.grid_id);
  assert.equal(incident.department_id, camera.department_id);
  assert.deepEqual(incident.location, camera.location);
  assert.equal(incident.count, 1);
  const signals = (await g.get(`/api/v1/incidents/${incident_id}/signals`)).json.items;
  assert.deepEqual(signals.map((s) => s.id), [signal_id]);
  const evidence = (await g.get(`/api/v1/incidents/${incident_id}/evidence`)).json.items;
  assert.ok(evidence.some((e) => e.kind === 'recording' && e.url.includes('/playback.mp4?from=')));

  let matter = (await g.get(`/api/v1/cases/${incident.case_id}?lang=en`)).json;
  assert.match(matter.number, /^XA-\d{8}-\d{4}$/);
  assert.equal(matter.kind, 'grid-incident');
  assert.equal(matter.loop, 'collect');
  assert.equal(matter.light, 'green');
  assert.equal(matter.incident_id, incident_id);
  assert.equal(matter.grid_id, camera.grid_id);
  assert.ok(matter.actions.some((a) => a.name === 'accept' && a.label === 'Accept'));
  const lasts = Date.parse(matter.due_at) - Date.parse(matter.opened_at);
  assert.equal(lasts, 480 * 60_000);

  // Not now: nothing moves, and what is allowed is said.
  const early = await act(matter.id, { action: 'verify' });
  assert.equal(early.status, 409);
  assert.deepEqual(names(early.json.actions), names(matter.actions));
  const unknown = await act(matter.id, { action: 'fly' });
  assert.equal(unknown.status, 409);
  assert.ok(unknown.json.actions.length > 0);

  const way = [
    ['accept', {}, 'assess', 'open'],
    ['dispatch', { assignee: 'traffic', note: 'yours' }, 'assign', 'open'],
    ['start', {}, 'handle', 'open'],
    ['finish', { note: 'towed' }, 'close', 'open'],
    ['verify', {}, 'close', 'open'],
    ['close', {}, 'close', 'closed'],
    ['evaluate', { fields: { score: 5, comment: '很好' } }, 'evaluate', 'closed'],
  ];
  for (const [action, body, loop, status] of way) {
    const done = await act(matter.id, { action, ...body });
    assert.equal(done.status, 201, `${action}: ${done.text}`);
    assert.equal(done.json.action, action);
    assert.equal(done.json.from, matter.stage);
    matter = (await g.get(`/api/v1/cases/${matter.id}`)).json;
    assert.equal(done.json.to, matter.stage);
    assert.equal(matter.loop, loop);
    assert.equal(matter.status, status);
  }
  assert.equal(matter.score, 5);
  assert.equal(matter.assignee_name, '交通联络员');
  assert.deepEqual(matter.actions, []);
  assert.equal((await g.get(`/api/v1/incidents/${incident_id}`)).json.status, 'closed');
  const steps = (await g.get(`/api/v1/cases/${matter.id}/transitions`)).json.items;
  assert.deepEqual(steps.map((s) => s.action), ['open', ...way.map((w) => w[0])]);
  assert.deepEqual(steps.map((s) => s.seq), steps.map((_, i) => i + 1));
  assert.equal(steps.at(-1).fields.score, 5);
  await until(
    () => stream.events.filter((e) => e.type === 'case.transition' && e.data.case.id === matter.id).length === way.length,
    2000,
    'every transition on the event stream',
  );
  await stream.stop();
});

test('equal signals are one incident, and an Idempotency-Key one signal', async () => {
  const one = await g.post('/api/v1/signals', signal({ camera: 'cam03', type: 'street_vending' }), { token: integrator });
  const two = await g.post('/api/v1/signals', signal({ camera: 'cam03', type: '09001', severity: 'major' }), {
    token: integrator,
  });
  const id = one.json.items[0].incident_id;
  assert.equal(two.json.items[0].incident_id, id);
  const key = { token: integrator, headers: { 'idempotency-key': 'box-1/4711' } };
  const body = signal({ camera: 'cam03', type: 'street_vending' });
  const first = await g.post('/api/v1/signals', body, key);
  const again = await g.post('/api/v1/signals', body, key);
  assert.equal(again.status, 202);
  assert.deepEqual(again.json, first.json);
  const other = await g.post('/api/v1/signals', { ...body, message: 'else' }, key);
  assert.equal(other.status, 422);
  const incident = (await g.get(`/api/v1/incidents/${id}`)).json;
  assert.equal(incident.count, 3);
  assert.equal(incident.severity, 'major');
  assert.equal((await g.get(`/api/v1/incidents/${id}/signals`)).json.items.length, 3);
  const cases = (await g.get(`/api/v1/cases?incident_id=${id}`)).json.items;
  assert.equal(cases.length, 1);
});

test('a batch with a fault is refused whole, and the fault is named', async () => {
  const before = (await g.get('/api/v1/incidents?limit=1000')).json.items.length;
  const answer = await g.post(
    '/api/v1/signals',
    [signal({ camera: 'cam08', type: 'water_pollution' }), signal({ camera: 'cam99' }), signal({ occurred_at: 'now' })],
    { token: integrator },
  );
  assert.equal(answer.status, 422);
  assert.match(answer.headers.get('content-type'), /^application\/problem\+json/);
  assert.deepEqual(answer.json.errors.map((e) => e.field), ['2/occurred_at']);
  const lost = await g.post('/api/v1/signals', [signal({ camera: 'cam08' }), signal({ camera: 'cam99' })], { token: integrator });
  assert.deepEqual(lost.json.errors.map((e) => e.field), ['1/camera']);
  assert.equal((await g.get('/api/v1/incidents?limit=1000')).json.items.length, before);
});

test('incidents are filtered and paged', async () => {
  const camera = (await g.get('/api/v1/cameras/cam10')).json;
  for (const key of ['a', 'b', 'c'])
    assert.equal((await g.post('/api/v1/signals', signal({ camera: 'cam10', type: 'garbage_overflow', key }), { token: integrator })).status, 202);
  const all = (await g.get(`/api/v1/incidents?camera_id=${camera.id}`)).json.items;
  assert.equal(all.length, 3);
  assert.equal((await g.get(`/api/v1/incidents?tag=garbage_overflow`)).json.items.length, 3);
  assert.equal((await g.get(`/api/v1/incidents?tag=06042&grid_id=${camera.grid_id}&status=in_progress`)).json.items.length, 3);
  assert.equal((await g.get('/api/v1/incidents?to=2020-01-01T00:00:00Z')).json.items.length, 0);
  assert.equal((await g.get('/api/v1/incidents?status=lost')).status, 422);
  const page = (await g.get(`/api/v1/incidents?camera_id=${camera.id}&limit=2`)).json;
  const rest = (await g.get(`/api/v1/incidents?camera_id=${camera.id}&limit=2&cursor=${encodeURIComponent(page.next_cursor)}`)).json;
  assert.deepEqual([...page.items, ...rest.items].map((i) => i.id), all.map((i) => i.id));
  assert.equal(rest.next_cursor, null);
});

test("an operator's report, and a false alarm with its reason", async () => {
  const made = await g.post('/api/v1/incidents', { camera: 'cam04', tag: 'camera_fault', message: 'dirty lens' });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.json.status, 'new');
  assert.equal(made.json.case_id, null, 'a rule says that these open no case');
  assert.equal((await g.post('/api/v1/incidents', { tag: 'smoke' })).json.errors[0].field, 'camera');
  const id = made.json.id;
  assert.equal((await g.patch(`/api/v1/incidents/${id}`, { status: 'false_alarm' })).status, 422);
  const seen = await g.patch(`/api/v1/incidents/${id}`, { status: 'acknowledged' });
  assert.equal(seen.json.status, 'acknowledged');
  const stale = await g.patch(`/api/v1/incidents/${id}`, { status: 'resolved' }, { headers: { 'if-match': '"1"' } });
  assert.equal(stale.status, 412);
  const done = await g.patch(
    `/api/v1/incidents/${id}`,
    { status: 'false_alarm', reason: 'it was fog' },
    { headers: { 'if-match': seen.headers.get('etag') } },
  );
  assert.equal(done.status, 200);
  const changes = (await g.get(`/api/v1/incidents/${id}/changes`)).json.items;
  assert.deepEqual(changes.map((c) => c.to), ['acknowledged', 'false_alarm']);
  assert.equal(changes[1].reason, 'it was fog');
  assert.equal((await g.patch(`/api/v1/incidents/${id}`, { status: 'closed' })).status, 409);
});

test('a case by hand: for an incident once, or for nothing else', async () => {
  const report = (await g.post('/api/v1/incidents', { camera: 'cam08', tag: 'camera_fault' })).json;
  const opened = await g.post(`/api/v1/incidents/${report.id}/case`, {});
  assert.equal(opened.status, 201, opened.text);
  assert.equal(opened.json.incident_id, report.id);
  assert.equal((await g.post(`/api/v1/incidents/${report.id}/case`, {})).status, 409);
  assert.equal((await g.get(`/api/v1/incidents/${report.id}`)).json.status, 'in_progress');
  assert.equal((await g.patch(`/api/v1/incidents/${report.id}`, { status: 'closed' })).status, 409);
  const rejected = await act(opened.json.id, { action: 'reject' });
  assert.equal(rejected.status, 422);
  assert.equal(rejected.json.errors[0].field, 'note');
  assert.equal((await act(opened.json.id, { action: 'reject', note: 'nothing there' })).status, 201);
  assert.equal((await g.get(`/api/v1/incidents/${report.id}`)).json.status, 'false_alarm');

  const alone = await g.post('/api/v1/cases', { title: '路灯检修', tag: 'street_light_fault', location: { lat: 29.85, lon: 114.32 } });
  assert.equal(alone.status, 201, alone.text);
  assert.equal(alone.json.incident_id, null);
  assert.ok(alone.json.grid_id);
  assert.ok(alone.json.department_id, "the tag's department in that grid's county");
  assert.equal((await g.post('/api/v1/cases', {})).json.errors[0].field, 'title');
  assert.equal((await g.post('/api/v1/cases', { title: 'x', kind: 'nope' })).json.errors[0].field, 'kind');
});

test('supervision runs beside, and a suspended case stands still', async () => {
  const matter = await openCase({ camera: 'cam07', type: 'construction_dust' });
  for (const body of [
    { action: 'supervise', note: 'hurry' },
    { action: 'extend', note: 'rain', fields: { minutes: 60 } },
    { action: 'suspend', note: 'rain' },
  ])
    assert.equal((await act(matter.id, body)).status, 201, body.action);
  const still = (await g.get(`/api/v1/cases/${matter.id}`)).json;
  assert.equal(still.status, 'suspended');
  assert.equal(still.stage, matter.stage);
  assert.equal(still.supervised, true);
  assert.equal(Date.parse(still.due_at) - Date.parse(matter.due_at), 3_600_000);
  assert.deepEqual(names(still.actions).sort(), ['resume', 'supervise']);
  assert.equal((await act(matter.id, { action: 'accept' })).status, 409);
  await sleep(50);
  assert.equal((await act(matter.id, { action: 'resume' })).status, 201);
  const on = (await g.get(`/api/v1/cases/${matter.id}`)).json;
  assert.equal(on.status, 'open');
  assert.ok(Date.parse(on.due_at) - Date.parse(still.due_at) >= 50);
  assert.equal((await act(matter.id, { action: 'extend', note: 'x', fields: { minutes: -1 } })).json.errors[0].field, 'fields/minutes');
});

test('two at once: one wins, the other is told', async () => {
  const matter = await openCase({ camera: 'cam06', type: 'road_spill' });
  const headers = { 'if-match': `"${matter.version}"` };
  const both = await Promise.all([
    act(matter.id, { action: 'accept' }, { headers }),
    act(matter.id, { action: 'reject', note: 'x' }, { headers }),
  ]);
  assert.deepEqual(both.map((answer) => answer.status).sort(), [201, 412]);
  assert.equal((await g.get(`/api/v1/cases/${matter.id}/transitions`)).json.items.length, 2);
});

test('each department sees and does its own', async () => {
  const urban = await g.tokenOf('urban', users.urban);
  const traffic = await g.tokenOf('traffic', users.traffic);
  const mine = await openCase({ camera: 'cam03', type: 'street_vending', key: 'scope' }); // an urban management camera
  assert.equal((await g.get(`/api/v1/cases/${mine.id}`, { token: urban })).status, 200);
  assert.equal((await g.get(`/api/v1/cases/${mine.id}`, { token: traffic })).status, 404);
  assert.equal((await g.get(`/api/v1/incidents/${mine.incident_id}`, { token: traffic })).status, 404);
  assert.equal((await g.get(`/api/v1/incidents/${mine.incident_id}/evidence`, { token: traffic })).status, 404);
  assert.equal((await act(mine.id, { action: 'accept' }, { token: traffic })).status, 404);
  const list = (await g.get('/api/v1/cases?limit=1000', { token: traffic })).json.items;
  assert.ok(list.length > 0 && list.every((c) => c.id !== mine.id));
  // To accept is the centre's; the department handles.
  const notTheirs = await act(mine.id, { action: 'accept' }, { token: urban });
  assert.equal(notTheirs.status, 403);
  assert.equal((await act(mine.id, { action: 'accept' })).status, 201);
  assert.equal((await act(mine.id, { action: 'dispatch' })).status, 201);
  assert.equal((await act(mine.id, { action: 'start' }, { token: urban })).status, 201);
  assert.equal((await act(mine.id, { action: 'finish' }, { token: urban })).status, 201);
  // A foreign department's camera is nobody's to report for.
  assert.equal((await g.post('/api/v1/incidents', { camera: 'cam03', tag: 'smoke' }, { token: traffic })).status, 422);
  assert.equal((await g.post('/api/v1/rules', {}, { token: traffic })).status, 403);
});

test("the event stream shows nobody another department's matters", async () => {
  const theirs = await listen(await g.tokenOf('traffic', users.traffic));
  const all = await listen();
  for (const more of [
    { camera: 'cam10', type: 'garbage_overflow', key: 'stream' }, // urban management's
    { type: 'balloon', message: 'nobody in particular' }, // no camera, no place, no department
    { camera: 'cam09', type: 'bus_bay_blocked', key: 'stream' }, // their own, and the last
  ])
    assert.equal((await g.post('/api/v1/signals', signal(more), { token: integrator })).status, 202);
  const created = (stream) => stream.events.filter((e) => e.type === 'incident.created').map((e) => e.data.tag);
  await until(() => created(all).length === 3, 3000, 'all three for who sees all');
  await until(() => created(theirs).length > 0, 3000, 'their own');
  await sleep(200);
  assert.deepEqual(created(theirs), ['99007']);
  await Promise.all([theirs.stop(), all.stop()]);
});

test('the county is changed over the API, and takes effect at once', async () => {
  const kind = {
    code: 'quick',
    name: { zh: '即办', en: 'Quick' },
    initial: 'a',
    stages: [
      { code: 'a', name: { zh: '甲', en: 'A' }, loop: 'collect' },
      { code: 'b', name: { zh: '乙', en: 'B' }, loop: 'close', closed: true },
    ],
    actions: [{ name: 'go', label: { zh: '办', en: 'Go' }, from: ['a'], to: 'c' }],
  };
  const wrong = await g.post('/api/v1/case-kinds', kind);
  assert.equal(wrong.status, 422);
  assert.equal(wrong.json.errors[0].field, 'actions/0/to');
  kind.actions[0].to = 'b';
  assert.equal((await g.post('/api/v1/case-kinds', kind)).status, 201);
  assert.equal((await g.post('/api/v1/case-kinds', kind)).status, 409);
  const rule = { code: 'kites', name: 'kites', order: 1, when: { tags: ['kite'] }, then: { kind: 'quick' } };
  assert.equal((await g.post('/api/v1/rules', rule)).json.errors[0].field, 'when/tags/0');
  const tag = { code: '99100', dictionary: 'local', class: '99', class_name: '本地补充', name: '风筝', colour: '#112233', severity: 'info', aliases: ['kite'] };
  assert.equal((await g.post('/api/v1/tags', tag)).status, 201);
  rule.when.tags = ['99100'];
  assert.equal((await g.post('/api/v1/rules', rule)).status, 201);
  const matter = await openCase({ type: 'KITE', location: { lat: 29.851, lon: 114.321 } });
  assert.equal(matter.kind, 'quick');
  assert.equal((await act(matter.id, { action: 'go' })).json.case.status, 'closed');

  const feature = (await g.get('/api/v1/grids/421202001-01')).json;
  const bow = structuredClone(feature);
  bow.geometry.coordinates = [[[114, 29], [115, 30], [115, 29], [114, 30], [114, 29]]];
  const refused = await g.request('PUT', '/api/v1/grids/421202001-01', { json: bow });
  assert.equal(refused.status, 422);
  assert.match(refused.json.errors[0].reason, /Self-intersection at longitude 114\.5/);
  feature.properties.name = '改名网格';
  const renamed = await g.request('PUT', '/api/v1/grids/421202001-01', { json: feature });
  assert.equal(renamed.status, 200, renamed.text);
  assert.equal(renamed.json.properties.version, feature.properties.version + 1);
});

test('killed in the middle of it, nothing is lost or doubled', async () => {
  const one = await g.post('/api/v1/signals', signal({ camera: 'cam12', type: 'flooding' }), {
    token: integrator,
    headers: { 'idempotency-key': 'before-the-crash' },
  });
  await g.kill();
  await g.restart();
  const body = JSON.parse(JSON.stringify(signal({ camera: 'cam12', type: 'flooding' })));
  const two = await g.post('/api/v1/signals', body, { token: integrator });
  const id = one.json.items[0].incident_id;
  assert.equal(two.json.items[0].incident_id, id);
  const incident = (await g.get(`/api/v1/incidents/${id}`)).json;
  assert.equal(incident.count, 2);
  assert.equal((await g.get(`/api/v1/cases?incident_id=${id}`)).json.items.length, 1);
  const audit = await g.get('/api/v1/audit/verify');
  assert.equal(audit.json.ok, true);
});
