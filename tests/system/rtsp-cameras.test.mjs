// Cameras with habits and faults: each gets in, stays up, and comes back, and none of it touches the others.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Cameras } from './lib/cameras.mjs';
import { Gateway, sleep, until } from './lib/gateway.mjs';

const PASSWORD = 'p@:/#%25 s';
const secret = { username: 'ad min', password: PASSWORD };

// Who they are, and how they are asked.
const habits = [
  { name: 'plain' },
  { name: 'h265' },
  { name: 'aac' },
  { name: 'bframes' },
  { name: 'basic', auth: 'basic', ...secret },
  { name: 'digest', auth: 'digest', ...secret },
  { name: 'digest-qop', auth: 'digest', qop: true, ...secret },
  { name: 'sha256', auth: 'digest-sha256', qop: true, ...secret },
  { name: 'all', auth: 'all', ...secret },
  { name: 'stale', auth: 'digest', stale_every: 2, timeout: 4, ...secret },
  { name: 'only-options', timeout: 4, keepalive: 'options' },
  { name: 'only-get-parameter', timeout: 4, keepalive: 'get_parameter' },
  { name: 'only-reports', timeout: 4, keepalive: 'rtcp' },
  { name: 'no-sprop', no_sprop: true },
  { name: 'bad-sprop', bad_sprop: true },
  { name: 'aggregate', aggregate: true },
  { name: 'aggregate-h265', clip: 'h265', aggregate: true },
  { name: 'tcp-only', transports: 'tcp' },
  { name: 'udp-only', clip: 'wide', transports: 'udp' },
  { name: 'secure', listen: '127.0.0.1:0', tls: true },
  { name: 'six', listen: '[::1]:0' },
  { name: 'bystander' },
  ...['stalls', 'drops', 'garbles', 'jumps', 'wraps', 'resets', 'changes', 'endless', 'blackhole'].map((name) => ({ name })),
];

let cameras, gateway, department;
const ids = new Map();

before(async () => {
  const config = habits.map((habit) => ({ clip: 'plain', ...(habit.name in { h265: 1, aac: 1, bframes: 1 } ? { clip: habit.name } : {}), ...habit }));
  cameras = await Cameras.start({ config: { all_clips: false, cameras: config } });
  gateway = await Gateway.start({
    set: {
      'ingest.allow': '127.0.0.0/8,::1',
      // Shorter than by default, and still longer than a busy test machine pauses.
      'ingest.stall_ms': 4000,
      'ingest.answer_timeout_ms': 4000,
      'ingest.metrics_cameras': habits.length,
      'ingest.udp_loss_window_ms': 1000,
      'ingest.retry_min_ms': 100,
      'ingest.retry_max_ms': 400,
      'ingest.retry_unreachable_max_ms': 400,
    },
  });
  department = (await gateway.get('/api/v1/departments')).json.items[0].id;
  for (const habit of habits) await add(habit, habit.tls ? { tls_fingerprint: cameras.fingerprint } : {});
});

after(async () => {
  await gateway?.stop();
  await cameras?.stop();
});

async function add({ name, auth }, stream = {}) {
  const answer = await gateway.post('/api/v1/cameras', {
    name,
    code: name,
    department_id: department,
    streams: [{ role: 'main', url: cameras.url(name), ...(auth ? secret : {}), ...stream }],
    record: { mode: 'off', retention_days: 1 },
  });
  assert.equal(answer.status, 201, answer.text);
  ids.set(name, answer.json.id);
}

async function status(name) {
  const answer = await gateway.get(`/api/v1/cameras/${ids.get(name)}/status`);
  assert.equal(answer.status, 200, answer.text);
  return { ...answer.json, main: answer.json.streams[0] };
}

async function becomes(name, state, ms = 10_000) {
  return until(
    async () => {
      const now = await status(name);
      if (now.state !== state) throw new Error(`${name} is ${now.state}: ${now.main.last_error}`);
      return now;
    },
    ms,
    `${name} is ${state}`,
  );
}

test('each camera gets in, whatever its habits, and none has to connect twice', async () => {
  for (const { name } of habits) await becomes(name, 'live', 15_000);
  // Longer than twice the sessions of those that want to hear from us every 4 s.
  await sleep(9_000);
  for (const { name } of habits) {
    const { main, state } = await status(name);
    assert.equal(state, 'live', name);
    assert.equal(main.reconnects, 0, `${name}: ${main.last_error}`);
    assert.equal(main.packets_lost, 0, name);
    assert.ok(main.fps > 12 && main.fps < 18, `${name} has 15 frames a second, not ${main.fps}`);
    assert.ok(main.bitrate_bps > 10_000, name);
  }
  assert.equal((await status('h265')).main.codec, 'h265');
  const plain = (await status('plain')).main;
  assert.deepEqual([plain.codec, plain.width, plain.height], ['h264', 320, 180]);
  assert.equal((await status('aac')).main.audio, 'AAC');
});

test('silence is a stall, and the end of it is seen at once', async () => {
  await cameras.order({ do: 'stall', camera: 'stalls', seconds: 5 });
  await becomes('stalls', 'stalled', 8_000);
  await becomes('stalls', 'live', 6_000);
});

test('a dropped connection is made again', async () => {
  await cameras.order({ do: 'drop', camera: 'drops' });
  await until(async () => (await status('drops')).main.reconnects === 1, 8_000, 'it reconnects');
  await becomes('drops', 'live');
});

test('what a camera garbles costs no connection', async () => {
  for (const [name, command] of [
    ['garbles', { do: 'garbage', bytes: 3000, frames: 5, any: true }],
    ['jumps', { do: 'jump_timestamps', seconds: -3600 }],
    ['wraps', { do: 'wrap_timestamps' }],
    ['resets', { do: 'reset_ssrc' }],
    ['resets', { do: 'reset_sequence' }],
    ['endless', { do: 'endless' }],
  ]) {
    await cameras.order({ camera: name, ...command });
  }
  await until(async () => (await gateway.metric('sharpeyes_ingest_garbage_bytes_total')) > 10_000, 15_000, 'garbage is counted');
  await until(async () => (await gateway.metric('sharpeyes_ingest_frames_too_big_total')) > 0, 15_000, 'the endless frame is cut off');
  await sleep(3_000);
  for (const name of ['garbles', 'jumps', 'wraps', 'resets', 'endless']) {
    const { main } = await becomes(name, 'live');
    assert.equal(main.reconnects, 0, `${name}: ${main.last_error}`);
    assert.ok(main.fps > 5, `${name}: ${main.fps}`);
  }
});

test('another picture size in mid-stream is taken up', async () => {
  await cameras.order({ do: 'change_params', camera: 'changes', clip: 'wide' });
  await until(async () => (await status('changes')).main.width === 640, 6_000, 'it is 640 wide');
  const { main } = await status('changes');
  assert.equal(main.reconnects, 0, main.last_error);
});

test('a camera that accepts and never answers is offline with the reason, and live once it answers', async () => {
  await cameras.order({ do: 'blackhole', camera: 'blackhole', seconds: 12 });
  const gone = await becomes('blackhole', 'offline', 12_000);
  assert.match(gone.main.last_error, /silent|answer/);
  await becomes('blackhole', 'live', 15_000);
});

test('a refused password is tried three times, and a changed one at once', async () => {
  await add({ name: 'wrong', auth: true }, { url: cameras.url('sha256'), password: 'canary-nonsense' });
  const { main } = await becomes('wrong', 'offline');
  assert.equal(main.last_error, 'the camera refused the user name or password');
  await sleep(1_500);
  assert.equal((await status('wrong')).state, 'offline');
  const answer = await gateway.patch(`/api/v1/cameras/${ids.get('wrong')}`, {
    streams: [{ role: 'main', url: cameras.url('sha256'), ...secret }],
  });
  assert.equal(answer.status, 200, answer.text);
  await becomes('wrong', 'live');
  assert.ok(!gateway.log.includes('canary-nonsense') && !gateway.log.includes(PASSWORD), 'no password in the log');
});

test('over UDP: what the stream is set to, what the camera takes, and loss in words', async () => {
  await add({ name: 'set-to-udp' }, { url: cameras.url('plain'), transport: 'udp' });
  const { main } = await becomes('set-to-udp', 'live');
  assert.equal(main.transport, 'udp');
  assert.equal(main.packets_lost, 0);
  assert.equal((await becomes('udp-only', 'live')).main.transport, 'udp');
  assert.equal((await becomes('tcp-only', 'live')).main.transport, 'tcp');
  await add({ name: 'six-udp' }, { url: cameras.url('six'), transport: 'udp' });
  assert.equal((await becomes('six-udp', 'live')).main.transport, 'udp');
  await add({ name: 'refuses-udp' }, { url: cameras.url('tcp-only'), transport: 'udp' });
  assert.match((await becomes('refuses-udp', 'offline')).main.last_error, /refuses RTP over UDP \(461\): set the stream's transport/);

  await cameras.order({ do: 'loss', camera: 'udp-only', percent: 6 });
  const lossy = await until(
    async () => {
      const now = await status('udp-only');
      return now.main.note && now; // live or not: that takes a keyframe of which no packet is lost
    },
    20_000,
    'the loss is in the status',
  );
  assert.match(lossy.main.note, /% of the packets are lost over UDP, and the camera offers nothing over TCP/);
  assert.ok(lossy.main.packets_lost > 0);
  await cameras.order({ do: 'clear', camera: 'udp-only' });
  assert.equal((await becomes('udp-only', 'live')).main.transport, 'udp');
});

test('over RTSPS: known by its fingerprint, else offline with the fingerprint that was seen', async () => {
  assert.equal((await becomes('secure', 'live')).main.transport, 'tls');
  await add({ name: 'unknown' }, { url: cameras.url('secure') });
  const { main } = await becomes('unknown', 'offline');
  assert.match(main.last_error, /certificate is not trusted \(no known authority signed it\): its SHA-256 is [0-9a-f]{64}$/);
  const seen = main.last_error.slice(-64);
  assert.equal(seen, cameras.fingerprint.replaceAll(':', '').toLowerCase());
  const answer = await gateway.patch(`/api/v1/cameras/${ids.get('unknown')}`, {
    streams: [{ role: 'main', url: cameras.url('secure'), tls_fingerprint: seen }],
  });
  assert.equal(answer.status, 200, answer.text);
  await becomes('unknown', 'live');
});

test('each camera has figures of its own in /metrics', async () => {
  const of = (name, what, more = '') =>
    gateway.metric(`sharpeyes_camera_${what}{camera="${ids.get(name)}",stream="main"${more}}`);
  await becomes('drops', 'live');
  assert.equal(await of('drops', 'state', ',state="live"'), 1);
  assert.ok((await of('drops', 'reconnects_total')) >= 1);
  assert.ok((await of('drops', 'fps')) > 5 && (await of('drops', 'bitrate_bps')) > 10_000);
  assert.ok((await of('udp-only', 'packets_lost_total')) > 0);
  assert.equal(await of('tcp-only', 'packets_lost_total'), 0);
  assert.equal(await gateway.metric('sharpeyes_camera_metrics_left_out'), ids.size - habits.length);
});

test('nobody else noticed any of it', async () => {
  const { main, state } = await status('bystander');
  assert.equal(state, 'live');
  assert.equal(main.reconnects, 0, main.last_error);
  assert.equal(main.packets_lost, 0);
});
