// Streams over RTSP: who may pull them and how, players that are not ours, slow and vanished ones, and hostile ones.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { Cameras } from './lib/cameras.mjs';
import { Gateway, sleep, until } from './lib/gateway.mjs';

const clips = ['plain', 'h265', 'aac', 'bframes'];
const others = [{ name: 'rare', clip: 'plain' }, { name: 'changes', clip: 'plain' }, { name: 'wide', clip: 'wide' }];
let cameras, gateway, address, department;
let password; // admin's stream password
const open = []; // players of the test under way

before(async () => {
  cameras = await Cameras.start({
    config: { all_clips: false, cameras: [...clips.map((name) => ({ name, clip: name })), ...others] },
  });
  gateway = await Gateway.start({
    set: { 'rtsp.stall_s': 4, 'rtsp.idle_s': 2, 'rtsp.session_s': 3, 'rtsp.connections': 400, 'rtsp.connections_per_address': 300, 'ingest.retry_min_ms': 100, 'ingest.on_demand_linger_s': 1, 'ingest.stall_ms': 4000 },
  });
  address = readFileSync(join(gateway.dir, 'rtsp.addr'), 'utf8').trim();
  department = (await gateway.get('/api/v1/departments')).json.items[0].id;
  for (const name of clips) await add(name);
  await add('changes');
  await add('wide');
  await add('rare', { mode: 'on_demand', retention_days: 1 });
  for (const name of clips) await live(name);
  password = (await makePassword('players')).password;
});

afterEach(() => Promise.all(open.splice(0).map((player) => player.close())));

after(async () => {
  await gateway?.stop();
  await cameras?.stop();
});

async function add(name, record = { mode: 'off', retention_days: 1 }, clip = name) {
  const answer = await gateway.post('/api/v1/cameras', {
    name,
    code: name,
    department_id: department,
    streams: [{ role: 'main', url: cameras.url(clip), transport: 'tcp' }],
    record,
  });
  assert.equal(answer.status, 201, answer.text);
}

const live = (name) => until(async () => (await gateway.get(`/api/v1/cameras/${name}/status`)).json.state === 'live', 15_000, `${name} is live`);

async function makePassword(name, options) {
  const answer = await gateway.post('/api/v1/stream-passwords', { name }, options);
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}

const url = (path, who = `admin:${password}@`) => `rtsp://${who}${address}/${path}`;

/** Runs a program to its end: {code, out}. */
function run(program, args, ms = 20_000) {
  return new Promise((done) => {
    execFile(program, args, { timeout: ms, killSignal: 'SIGKILL' }, (error, stdout, stderr) =>
      done({ code: error ? (error.code ?? 'killed') : 0, out: stdout + stderr }),
    );
  });
}

/** What gst-launch says. It got all it was to have when there is "Got EOS"; its own PAUSE on the way out may fail
 *  after that, as 1.22 closes the connection before it now and then. */
const gstreamer = async (chain) => (await run('gst-launch-1.0', chain)).out;

/* --- a player of our own ------------------------------------------------------------------------------------- */

/** One RTSP connection over which requests are made by hand. */
class Player {
  static async open(to = address) {
    const player = new Player();
    open.push(player);
    const colon = to.lastIndexOf(':');
    player.socket = createConnection({ host: to.slice(0, colon), port: Number(to.slice(colon + 1)) });
    player.data = Buffer.alloc(0);
    player.frames = 0;
    player.cseq = 0;
    player.waiting = [];
    player.closed = new Promise((done) => player.socket.once('close', () => done((player.gone = Date.now()))));
    player.socket.on('error', () => {}).on('data', (piece) => player.take(piece));
    await new Promise((done, failed) => player.socket.once('connect', done).once('error', failed));
    return player;
  }

  take(piece) {
    this.data = Buffer.concat([this.data, piece]);
    for (;;) {
      if (this.data[0] === 0x24) {
        const size = this.data.length >= 4 ? 4 + this.data.readUInt16BE(2) : Infinity;
        if (this.data.length < size) return;
        this.packet(this.data.subarray(0, size));
        this.data = this.data.subarray(size);
      } else {
        const end = this.data.indexOf('\r\n\r\n');
        if (end < 0) return;
        const text = this.data.subarray(0, end).toString('latin1');
        const length = Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? 0);
        if (this.data.length < end + 4 + length) return;
        const body = this.data.subarray(end + 4, end + 4 + length).toString();
        this.data = this.data.subarray(end + 4 + length);
        this.waiting.shift()?.({ status: Number(text.slice(9, 12)), text, body, header: (name) => new RegExp(`^${name}: *(.*)$`, 'im').exec(text)?.[1] });
      }
    }
  }

  packet(frame) {
    this.frames++;
    if (frame[1] % 2 && frame.length > 8 && frame.includes(Buffer.from([0x81, 0xcb, 0, 1]))) this.bye = true;
    this.last = Date.now();
  }

  /** Sends a request and gives the answer. */
  ask(method, path, headers = {}, body = '') {
    const target = path.includes('://') || path === '*' ? path : url(path, '');
    const all = { CSeq: ++this.cseq, ...(this.session && { Session: this.session }), ...headers, ...(body && { 'Content-Length': body.length }) };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    return new Promise((done, failed) => {
      const late = setTimeout(() => failed(new Error(`${method} ${path}: no answer`)), 12_000);
      const answered = (answer) => (clearTimeout(late), done(answer));
      this.waiting.push(answered);
      this.closed.then(() => answered({ status: 0, text: '', header: () => undefined }));
      this.socket.write(`${method} ${target} RTSP/1.0\r\n${lines.join('')}\r\n${body}`);
    });
  }

  /** The same, and again with the answer to a challenge. algorithm: MD5 or SHA-256. */
  async signedIn(method, path, secret = password, algorithm = 'MD5', username = 'admin') {
    const first = await this.ask(method, path);
    assert.equal(first.status, 401);
    return this.ask(method, path, { Authorization: answerTo(first, method, url(path, ''), secret, algorithm, username) });
  }

  /** Watches a camera's video; the answers. */
  async play(path, secret = password) {
    const description = await this.signedIn('DESCRIBE', path, secret);
    assert.equal(description.status, 200, description.text + description.body);
    const set = await this.ask('SETUP', `${path}/trackID=0`, { Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1' });
    assert.equal(set.status, 200, set.text);
    this.session = set.header('Session').split(';')[0];
    const playing = await this.ask('PLAY', path, { Range: 'npt=0.000-' });
    assert.equal(playing.status, 200, playing.text);
    return { description, set, playing };
  }

  close() {
    this.socket.destroy();
    return this.closed;
  }
}

function answerTo(challenge, method, uri, secret, algorithm, username) {
  const lines = challenge.text.split('\r\n').filter((line) => /^WWW-Authenticate/i.test(line));
  const line = lines.find((l) => l.includes('SHA-256') === (algorithm === 'SHA-256'));
  const nonce = /nonce="([^"]+)"/.exec(line)[1];
  const hash = (text) => createHash(algorithm === 'SHA-256' ? 'sha256' : 'md5').update(text).digest('hex');
  const a1 = hash(`${username}:sharpeyes:${secret}`);
  const a2 = hash(`${method}:${uri}`);
  const qop = algorithm === 'SHA-256';
  const response = hash(qop ? `${a1}:${nonce}:00000001:abc:auth:${a2}` : `${a1}:${nonce}:${a2}`);
  return `Digest username="${username}", realm="sharpeyes", nonce="${nonce}", uri="${uri}", response="${response}"${qop ? ', algorithm=SHA-256, qop=auth, nc=00000001, cnonce="abc"' : ''}`;
}

/* --- players that others wrote -------------------------------------------------------------------------------- */

for (const transport of ['tcp', 'udp']) {
  test(`ffmpeg plays H.264, H.265, B-frames and AAC over ${transport}`, async () => {
    const each = async (name) => {
      const { code, out } = await run('ffprobe', [
        '-v', 'error', '-rtsp_transport', transport, '-count_frames', '-read_intervals', '%+#40', '-of', 'json',
        '-show_entries', 'stream=codec_type,codec_name,width,height,nb_read_frames', url(name),
      ]);
      assert.equal(code, 0, out);
      const { streams } = JSON.parse(out);
      const video = streams.find((s) => s.codec_type === 'video');
      assert.equal(video.codec_name, name === 'h265' ? 'hevc' : 'h264');
      assert.equal(`${video.width}x${video.height}`, '320x180');
      assert.ok(Number(video.nb_read_frames) >= 10, out);
      const audio = streams.find((s) => s.codec_type === 'audio');
      assert.equal(audio?.codec_name, name === 'aac' ? 'aac' : undefined);
      if (audio) assert.ok(Number(audio.nb_read_frames) >= 10, out);
    };
    await Promise.all(clips.map(each));
  });

  test(`GStreamer plays H.264, H.265 and AAC over ${transport}`, async () => {
    const chains = {
      plain: ['rtph264depay', '!', 'h264parse'],
      h265: ['rtph265depay', '!', 'h265parse'],
      // A stream that nobody takes ends rtspsrc, so both are taken.
      aac: ['application/x-rtp,media=video', '!', 'rtph264depay', '!', 'fakesink', 'num-buffers=20', 'sync=false', 's.', '!', 'application/x-rtp,media=audio', '!', 'rtpmp4gdepay', '!', 'aacparse'],
    };
    const each = async ([name, chain]) => {
      const out = await gstreamer([
        'rtspsrc', `location=${url(name, '')}`, 'user-id=admin', `user-pw=${password}`, `protocols=${transport}`, 'latency=200', 'name=s',
        's.', '!', ...chain, '!', 'fakesink', 'num-buffers=40', 'sync=false',
      ]);
      assert.match(out, /Got EOS/, name);
    };
    await Promise.all(Object.entries(chains).map(each));
  });
}

test('a ticket in the URL opens its camera, over both transports, and no other', async () => {
  const { ticket } = (await gateway.post('/api/v1/tickets', { camera: 'plain', action: 'live' })).json;
  for (const transport of ['tcp', 'udp']) {
    const { code, out } = await run('ffprobe', ['-v', 'error', '-rtsp_transport', transport, '-show_entries', 'stream=codec_name', '-of', 'csv=p=0', url(`plain?ticket=${ticket}`, '')]);
    assert.equal(code, 0, out);
    assert.match(out, /h264/);
  }
  const out = await gstreamer(['rtspsrc', `location=${url(`plain?ticket=${ticket}`, '')}`, 'protocols=tcp', '!', 'rtph264depay', '!', 'fakesink', 'num-buffers=10']);
  assert.match(out, /Got EOS/);
  const player = await Player.open();
  assert.equal((await player.ask('DESCRIBE', `h265?ticket=${ticket}`)).status, 401);
  assert.equal((await player.ask('DESCRIBE', `nosuch?ticket=${ticket}`)).status, 401);
  assert.equal((await player.ask('DESCRIBE', 'plain?ticket=tkt_0123456789012345678901234567890123456789')).status, 401);
  await player.close();
});

test('another gateway pulls from this one, and serves it on over IPv6', async () => {
  const other = await Gateway.start({ set: { 'rtsp.listen': '[::1]:0' } });
  try {
    const department_id = (await other.get('/api/v1/departments')).json.items[0].id;
    for (const [name, transport] of [['h265', 'tcp'], ['aac', 'udp']]) {
      const added = await other.post('/api/v1/cameras', { name, code: name, department_id, streams: [{ role: 'main', url: url(name), transport }], record: { mode: 'off', retention_days: 1 } });
      assert.equal(added.status, 201, added.text);
    }
    for (const [name, codec] of [['h265', 'h265'], ['aac', 'h264']]) {
      const status = await until(async () => {
        const now = (await other.get(`/api/v1/cameras/${name}/status`)).json;
        return now.state === 'live' && now;
      }, 15_000, `the chained ${name} is live`);
      assert.equal(status.streams[0].codec, codec);
    }
    const { ticket } = (await other.post('/api/v1/tickets', { camera: 'aac', action: 'live' })).json;
    const there = readFileSync(join(other.dir, 'rtsp.addr'), 'utf8').trim();
    assert.match(there, /^\[::1\]:\d+$/);
    const { code, out } = await run('ffprobe', ['-v', 'error', '-rtsp_transport', 'udp', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0', `rtsp://${there}/aac?ticket=${ticket}`]);
    assert.equal(code, 0, out);
    assert.match(out, /h264[^]*aac/);
  } finally {
    await other.stop();
  }
});

/* --- who gets in ----------------------------------------------------------------------------------------------- */

test('stream passwords are shown once, work in both algorithms, and end what they opened', async () => {
  const made = await makePassword('one');
  assert.equal(made.username, 'admin');
  const listed = (await gateway.get('/api/v1/stream-passwords')).json.items.find((item) => item.id === made.id);
  assert.equal(listed.name, 'one');
  assert.equal(listed.password, undefined);
  assert.equal(listed.last_used_at, null);
  const player = await Player.open();
  assert.equal((await player.signedIn('DESCRIBE', 'plain', made.password, 'SHA-256')).status, 200);
  await player.close();
  const watching = await Player.open();
  await watching.play('plain', made.password);
  await until(() => watching.frames > 10, 5000, 'packets come');
  const bystander = await Player.open();
  await bystander.play('plain');
  await until(async () => (await gateway.get('/api/v1/stream-passwords')).json.items.find((item) => item.id === made.id).last_used_at, 3000, 'its use is noted');
  assert.equal((await gateway.delete(`/api/v1/stream-passwords/${made.id}`)).status, 204);
  const revoked = Date.now();
  await watching.closed;
  assert.ok(watching.gone - revoked < 5000, `${watching.gone - revoked} ms`);
  assert.ok(watching.bye, 'it is told');
  const again = await Player.open();
  assert.equal((await again.signedIn('DESCRIBE', 'plain', made.password)).status, 401);
  await again.close();
  const before = bystander.frames;
  await until(() => bystander.frames > before, 3000, 'the other goes on');
  await bystander.close();
  assert.equal((await gateway.delete(`/api/v1/stream-passwords/${made.id}`)).status, 404);
  const audit = await until(async () => {
    const items = (await gateway.get('/api/v1/audit?limit=200')).json.items;
    return items.some((entry) => entry.action === 'stream_password.refuse') && items;
  }, 3000, 'it is in the audit trail');
  const view = audit.find((entry) => entry.action === 'camera.live' && entry.detail?.via === 'rtsp');
  assert.equal(view.username, 'admin');
  for (const action of ['stream_password.create', 'stream_password.delete', 'stream_password.refuse']) assert.ok(audit.find((entry) => entry.action === action), action);
  assert.ok(!JSON.stringify(audit).includes(made.password));
  assert.ok(!gateway.log.includes(made.password));
});

test('login passwords open nothing, and guessing is stopped', async () => {
  const people = { username: 'guessed', display_name: 'x', password: 'long enough 1', department_id: department, roles: ['operator'] };
  assert.equal((await gateway.post('/api/v1/users', people)).status, 201);
  const player = await Player.open();
  for (let i = 0; i < 5; i++) assert.equal((await player.signedIn('DESCRIBE', 'plain', people.password, 'MD5', 'guessed')).status, 401);
  const blocked = await player.signedIn('DESCRIBE', 'plain', people.password, 'MD5', 'guessed');
  assert.equal(blocked.status, 429);
  assert.ok(Number(blocked.header('Retry-After')) > 0);
  await player.close();
  assert.ok(await gateway.tokenOf('guessed', people.password), 'signing in to the API is counted apart');
});

test('what is not there and what is not theirs look the same', async () => {
  const elsewhere = (await gateway.post('/api/v1/departments', { code: 'else', name: 'else', kind: 'traffic' })).json.id;
  const person = { username: 'else', display_name: 'x', password: 'long enough 1', department_id: elsewhere, roles: ['department_admin'] };
  assert.equal((await gateway.post('/api/v1/users', person)).status, 201);
  const token = await gateway.tokenOf('else', person.password);
  const theirs = await makePassword('x', { token });
  const player = await Player.open();
  const other = await player.signedIn('DESCRIBE', 'plain', theirs.password, 'MD5', 'else');
  const none = await player.signedIn('DESCRIBE', 'nosuch', theirs.password, 'MD5', 'else');
  assert.equal(other.status, 404);
  assert.equal(other.text.replace(/CSeq: \d+/, ''), none.text.replace(/CSeq: \d+/, ''));
  assert.equal((await player.signedIn('DESCRIBE', 'plain/sub')).status, 404, 'no such stream');
  // A path that says one thing and a signature that says another.
  const first = await player.ask('DESCRIBE', 'h265');
  const signed = answerTo(first, 'DESCRIBE', url('plain', ''), password, 'MD5', 'admin');
  assert.equal((await player.ask('DESCRIBE', 'h265', { Authorization: signed })).status, 401);
  await player.close();
});

/* --- the protocol ----------------------------------------------------------------------------------------------- */

test('each method answers as it should, in and out of place', async () => {
  const player = await Player.open();
  assert.match((await player.ask('OPTIONS', '*')).header('Public'), /DESCRIBE.*GET_PARAMETER/);
  assert.equal((await player.ask('PLAY', 'plain')).status, 454);
  assert.equal((await player.ask('ANNOUNCE', 'plain')).status, 405);
  assert.equal((await player.ask('DANCE', 'plain')).status, 501);
  assert.equal((await player.ask('OPTIONS', '*', { Require: 'com.example.x' })).status, 551);
  assert.equal((await player.ask('OPTIONS', '*', { CSeq: 'x' })).status, 400);
  assert.equal((await player.ask('DESCRIBE', 'plain', { Accept: 'text/plain' })).status, 406);
  assert.equal((await player.ask('DESCRIBE', `plain/${'a'.repeat(2000)}`)).status, 414);
  const described = await player.signedIn('DESCRIBE', 'aac');
  assert.match(described.body, /m=video 0 RTP\/AVP 96[^]*sprop-parameter-sets=[^]*m=audio 0 RTP\/AVP 97/);
  assert.equal((await player.ask('SETUP', 'aac', { Transport: 'RTP/AVP/TCP;unicast' })).status, 459);
  assert.equal((await player.ask('SETUP', 'aac/trackID=5', { Transport: 'RTP/AVP/TCP;unicast' })).status, 404);
  assert.equal((await player.ask('SETUP', 'aac/trackID=0', { Transport: 'RTP/AVP;multicast' })).status, 461);
  assert.equal((await player.ask('SETUP', 'aac/trackID=0')).status, 461);
  const audio = await player.ask('SETUP', 'aac/trackID=1', { Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1' });
  assert.match(audio.header('Transport'), /interleaved=2-3/);
  player.session = audio.header('Session').split(';')[0];
  assert.equal((await player.ask('SETUP', 'aac/trackID=0', { Transport: 'RTP/AVP;unicast;client_port=5000-5001' })).status, 461, 'one transport a session');
  assert.equal((await player.ask('SETUP', 'plain/trackID=0', { Transport: 'RTP/AVP/TCP;unicast' })).status, 455, 'one camera a session');
  assert.equal((await player.ask('PLAY', 'aac', { Session: 'other' })).status, 454);
  const playing = await player.ask('PLAY', 'aac');
  assert.equal(playing.status, 200);
  await until(() => player.frames > 5, 5000, 'audio comes');
  assert.equal((await player.ask('GET_PARAMETER', 'aac')).status, 200);
  assert.equal((await player.ask('GET_PARAMETER', 'aac', {}, 'packets_received\r\n')).status, 451);
  assert.equal((await player.ask('PAUSE', 'aac')).status, 200);
  await sleep(100);
  const paused = player.frames;
  await sleep(500);
  assert.equal(player.frames, paused, 'nothing comes while it is paused');
  assert.equal((await player.ask('PLAY', 'aac')).status, 200);
  await until(() => player.frames > paused + 5, 5000, 'it goes on');
  assert.equal((await player.ask('TEARDOWN', 'aac')).status, 200);
  assert.equal((await player.ask('PAUSE', 'aac')).status, 454);
  player.session = undefined;
  const again = await player.ask('SETUP', 'plain/trackID=0', { Transport: 'RTP/AVP;unicast;client_port=5000-5001' });
  assert.equal(again.status, 401, 'another camera is another question');
  assert.equal((await player.ask('SETUP', 'aac/trackID=0', { Transport: 'RTP/AVP/TCP;unicast' })).status, 200, 'the same one is not');
  await player.close();
});

test('the first picture is there at once, and reports follow', async () => {
  const player = await Player.open();
  const { playing, description } = await player.play('plain');
  assert.match(playing.header('RTP-Info'), /trackID=0;seq=\d+;rtptime=\d+/);
  assert.match(description.header('Content-Base'), /\/plain\/$/);
  const asked = Date.now();
  await until(() => player.frames > 3, 1000, 'packets come');
  assert.ok(Date.now() - asked < 500);
  await player.close();
});

test('a camera that is pulled on demand starts for a player and stops after it', async () => {
  const state = async () => (await gateway.get('/api/v1/cameras/rare/status')).json.state;
  assert.equal(await state(), 'idle');
  const player = await Player.open();
  await player.play('rare');
  await until(() => player.frames > 10, 8000, 'packets come');
  assert.equal(await state(), 'live');
  const second = await Player.open();
  await second.play('rare');
  assert.equal((await cameras.stats('rare')).sessions, 1, 'one connection to the camera');
  await player.close();
  await second.close();
  await until(async () => (await state()) === 'idle', 8000, 'it is let go');
});

test('viewers end when their camera is removed', async () => {
  await add('gone', undefined, 'plain');
  await live('gone');
  const player = await Player.open();
  await player.play('gone');
  await until(() => player.frames > 5, 5000, 'packets come');
  assert.equal((await gateway.delete('/api/v1/cameras/gone')).status, 204);
  const removed = Date.now();
  await player.closed;
  assert.ok(player.gone - removed < 5000);
  assert.ok(player.bye);
});

test('viewers end when the codec changes, and find the new one', async () => {
  await live('changes');
  const player = await Player.open();
  await player.play('changes');
  await until(() => player.frames > 10, 5000, 'packets come');
  await cameras.order({ do: 'change_params', camera: 'changes', clip: 'h265' });
  await player.closed;
  await until(async () => {
    const again = await Player.open();
    const answer = await again.signedIn('DESCRIBE', 'changes');
    await again.close();
    return /H265/.test(answer.body);
  }, 10_000, 'it is described as H.265');
});

/* --- slow, vanished, hostile ------------------------------------------------------------------------------------ */

test('one that stops reading is cut, one that is slow jumps, and others lose nothing', async () => {
  const jumped = () => gateway.metric('sharpeyes_rtsp_skipped_total');
  const cut = () => gateway.metric('sharpeyes_rtsp_cut_total{cause="stalled"}');
  await live('wide');
  const [bystander, slow, stopped] = await Promise.all([Player.open(), Player.open(), Player.open()]);
  for (const player of [bystander, slow, stopped]) await player.play('wide');
  await until(() => slow.frames > 5 && stopped.frames > 5, 5000, 'packets come');
  const [cutBefore, jumpedBefore, framesBefore] = [await cut(), await jumped(), slow.frames];
  stopped.socket.pause();
  slow.socket.pause();
  const start = Date.now();
  // More than the kernel keeps for somebody who does not read: a minute of the camera at a time.
  for (let i = 0; i < 4; i++) {
    await cameras.order({ do: 'burst', camera: 'wide', seconds: 60 });
    await sleep(300);
  }
  slow.socket.resume();
  await until(async () => (await cut()) > cutBefore, 10_000, 'the stopped one is cut');
  assert.ok(Date.now() - start < 10_000);
  assert.equal(await cut(), cutBefore + 1, 'and nobody else');
  assert.ok((await jumped()) > jumpedBefore, 'the slow one jumped');
  await until(() => slow.frames > framesBefore + 50, 3000, 'and goes on');
  const frames = bystander.frames;
  await until(() => bystander.frames > frames, 2000, 'the other goes on');
  for (const player of [bystander, slow, stopped]) await player.close();
});

test('over UDP a sign of life keeps a viewer, and silence ends it', async () => {
  const watch = async () => {
    const player = await Player.open();
    const socket = createSocket('udp4');
    await new Promise((done) => socket.bind(0, '127.0.0.1', done));
    assert.equal((await player.signedIn('DESCRIBE', 'plain')).status, 200);
    const port = socket.address().port;
    const set = await player.ask('SETUP', 'plain/trackID=0', { Transport: `RTP/AVP;unicast;client_port=${port}-${port + 1}` });
    assert.equal(set.status, 200, set.text);
    assert.match(set.header('Session'), /;timeout=3$/);
    const server = Number(/server_port=(\d+)-/.exec(set.header('Transport'))[1]);
    assert.equal(server % 2, 0);
    player.session = set.header('Session').split(';')[0];
    player.packets = 0;
    socket.on('message', (data, from) => {
      assert.equal(from.port, server);
      assert.equal(data[0] >> 6, 2);
      player.packets++;
    });
    assert.equal((await player.ask('PLAY', 'plain')).status, 200);
    await until(() => player.packets > 10, 5000, 'packets come');
    player.closed.then(() => socket.close());
    return player;
  };
  const [silent, lively] = [await watch(), await watch()];
  const start = Date.now();
  while (!silent.gone && Date.now() - start < 9000) {
    assert.equal((await lively.ask('GET_PARAMETER', 'plain')).status, 200);
    await sleep(500);
  }
  assert.ok(silent.gone, 'the silent one is cut');
  assert.ok(silent.gone - start > 2000);
  assert.ok(!lively.gone, 'the other goes on');
  assert.equal(await gateway.metric('sharpeyes_rtsp_cut_total{cause="silent"}'), 1);
});

test('fifty leave at once', async () => {
  const none = async () => (await gateway.metric('sharpeyes_rtsp_viewers{transport="tcp"}')) === 0 && (await gateway.metric('sharpeyes_rtsp_feeds')) === 0;
  await until(none, 5000, 'nobody watches before');
  const players = await Promise.all(Array.from({ length: 50 }, () => Player.open()));
  await Promise.all(players.map((player) => player.play('plain')));
  await until(() => players.every((player) => player.frames > 3), 10_000, 'packets come to all');
  assert.equal(await gateway.metric('sharpeyes_rtsp_viewers{transport="tcp"}'), 50);
  assert.equal(await gateway.metric('sharpeyes_rtsp_feeds'), 1, 'they share one');
  for (const player of players) player.socket.resetAndDestroy?.() ?? player.socket.destroy();
  await until(none, 5000, 'all are gone, and nothing is packetized for nobody');
  assert.equal(await gateway.metric('sharpeyes_rtsp_cache_bytes'), 0);
});

/** What a raw connection gets for what it sends, until it is closed. */
function raw(bytes, ms = 8000) {
  return new Promise((done) => {
    const colon = address.lastIndexOf(':');
    const socket = createConnection({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }, () => socket.write(bytes));
    let text = '';
    const late = setTimeout(() => (socket.destroy(), done({ text, closed: false })), ms);
    socket.on('data', (data) => (text += data.toString('latin1'))).on('error', () => {});
    socket.on('close', () => (clearTimeout(late), done({ text, closed: true })));
  });
}

test('garbage, endless heads and silence end with the connection', async () => {
  const malformed = () => gateway.metric('sharpeyes_rtsp_cut_total{cause="malformed"}');
  const before = await malformed();
  const [garbage, http, head, headers, body] = await Promise.all([
    raw(Buffer.from('\x01\x02\x03 nonsense\r\n\r\n', 'latin1')),
    raw('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    raw(`OPTIONS * RTSP/1.0\r\nX: ${'a'.repeat(64 * 1024)}`),
    raw(`OPTIONS * RTSP/1.0\r\n${'A: b\r\n'.repeat(500)}\r\n`),
    raw('OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 99999999\r\n\r\n'),
  ]);
  for (const answer of [garbage, http, head, headers, body]) assert.ok(answer.closed);
  assert.match(garbage.text, /^RTSP\/1.0 400 /);
  assert.match(http.text, /^RTSP\/1.0 400 /);
  assert.ok((await malformed()) >= before + 4);
  const silent = await raw('', 6000);
  assert.ok(silent.closed, 'one that says nothing is cut');
  const slow = await raw('OPTIONS * RTSP', 6000);
  assert.ok(slow.closed, 'one that never ends its request is cut');
  const pipelined = await raw('OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n'.repeat(200), 6000);
  assert.equal(pipelined.text.match(/RTSP\/1.0 200/g).length, 200);
});

test('a crowd of silent connections is bounded, counted and does not disturb who watches', async () => {
  const player = await Player.open();
  await player.play('plain');
  const crowd = await Promise.all(
    Array.from({ length: 350 }, () => new Promise((done) => {
      const colon = address.lastIndexOf(':');
      const socket = createConnection({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
      socket.on('error', () => {}).once('connect', () => done(socket)).once('close', () => done(socket));
    })),
  );
  await until(async () => (await gateway.metric('sharpeyes_rtsp_refused_total{cause="address"}')) >= 40, 5000, 'more than an address may have are refused');
  assert.ok((await gateway.metric('sharpeyes_rtsp_connections')) <= 300);
  const frames = player.frames;
  await until(() => player.frames > frames + 5, 3000, 'the player goes on');
  await until(async () => (await gateway.metric('sharpeyes_rtsp_connections')) <= 1, 8000, 'the silent ones are cut');
  for (const socket of crowd) socket.destroy();
  await player.close();
});

test('SIGTERM says goodbye and ends in time', async () => {
  const short = await Gateway.start({ dataDir: undefined });
  const to = readFileSync(join(short.dir, 'rtsp.addr'), 'utf8').trim();
  const player = await Player.open(to);
  assert.equal((await player.ask('OPTIONS', `rtsp://${to}/x`)).status, 200);
  const start = Date.now();
  await short.stop();
  assert.ok(Date.now() - start < 5000);
  await player.closed;
});
