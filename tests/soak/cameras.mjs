// Two hundred cameras of every kind, recorded and watched, with random faults for an hour.
//
//   ./dev soak cameras [--minutes 60] [--cameras 200] [--seed N]
//
// The seed is printed; the same one gives the same cameras, faults and viewers in the same order. JSON lines tell
// how it stands; the last one holds the figures. Ends with 0 when all of this held: no crash and no sanitizer's
// report, memory and descriptors flat once the faults are over, every camera live again in time, every recording
// that is looked at plays, rows match files, and the log stayed bounded.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pathToFileURL } from 'node:url';

import { split } from '../system/lib/cameras.mjs';
import { decoded, Rig } from '../system/lib/rig.mjs';
import { chunksOf, program, sleep, until } from '../system/lib/gateway.mjs';
import { assertFlat, calm, Random, readArguments, rowsMatchFiles, say } from './lib.mjs';

const run = promisify(execFile);
const LIVE_AGAIN_MS = 75_000; // the longest pause between tries is 30 s, with jitter 37 s
const LOG_LINES_AN_EVENT = 3; // the log grows with what happens, not with time; and each camera is told of when it comes
const CLIPS = ['plain.sub', 'plain.sub', 'bframes', 'h265', 'aac', 'plain', 'wide'];
const PASSWORD = 'soak p@:/#%';

/* --- who they are ------------------------------------------------------------------------------------- */

const TRAITS = [
  {}, {}, {},
  { transports: 'udp' }, { transports: 'udp' }, { transports: 'tcp' }, { tcp_silent: true },
  { tls: true, listen: '127.0.0.1:0' }, { tls: true, listen: '127.0.0.1:0', clip: 'wide' },
  { auth: 'digest', password: PASSWORD, stale_every: 50 },
  { auth: 'digest-sha256', qop: true, password: PASSWORD },
  { auth: 'all', password: PASSWORD }, { auth: 'basic', password: PASSWORD },
  { timeout: 20, keepalive: 'options' }, { timeout: 20, keepalive: 'get_parameter' }, { timeout: 20, keepalive: 'rtcp' },
  { no_sprop: true }, { sprop: 'broken' }, { sprop: 'start_codes' }, { aggregate: true },
  { control: 'absolute', content_base: 'other' }, { control: 'query' }, { control: 'star', audio: 'pcma' },
  { channels: 'own' }, { channels: 'reversed' },
  { answers: ['folded', 'upper', 'bare_lf'] }, { answers: ['trickle', 'provisional'] }, { answers: ['no_cseq', 'doubled'] },
  { chatter: 2 }, { tracks: ['application', 'mjpeg'] }, { audio: 'unknown', audio_first: true },
  { keyframe_every: 20 },
];
const HOSTILE = ['long_header', 'endless_line', 'noise', 'many_media', 'crlf_sdp', 'huge_frames', 'lying_packets', 'big_body'];

function makeCameras(random, count) {
  const cameras = Array.from({ length: count }, (_, i) => ({
    name: `cam-${i}`, clip: random.of(CLIPS), phase: random.between(0, 10), ...random.of(TRAITS),
  }));
  const bad = HOSTILE.slice(0, Math.ceil(count / 25)).map((hostile) => ({ name: `bad-${hostile}`, clip: 'plain.sub', hostile }));
  return { cameras, bad };
}

/* --- what happens to them ----------------------------------------------------------------------------- */

/** A fault for the simulator: [order]. */
function fault(random) {
  const seconds = Number(random.between(1, 20).toFixed(1));
  const percent = 1 + random.below(15);
  return random.of([
    { do: 'stall', seconds }, { do: 'stall', seconds, catch_up: true },
    { do: 'drop', reset: true }, { do: 'drop', reset: false }, { do: 'drop', reset: true },
    { do: 'refuse', seconds }, { do: 'blackhole', seconds }, { do: 'blackhole', seconds },
    { do: 'garbage', bytes: 1 + random.below(5000), frames: 1 + random.below(5), any: random.next() < 0.5 },
    { do: 'endless', bytes: 1 << (16 + random.below(9)) },
    { do: 'jump_timestamps', seconds: random.between(-90_000, 90_000) }, { do: 'wrap_timestamps', seconds: 1 },
    { do: 'reset_ssrc' }, { do: 'reset_sequence' },
    { do: 'change_params', clip: random.of(CLIPS) }, { do: 'change_params', clip: random.of(CLIPS) },
    { do: 'no_keyframes', seconds }, { do: 'burst', seconds }, { do: 'no_sprop' },
    { do: 'loss', percent }, { do: 'reorder', percent, distance: 1 + random.below(20) }, { do: 'duplicate', percent },
    { do: 'late', percent, ms: 1 + random.below(2000) },
    { do: 'wrong_password' }, { do: 'clear' }, { do: 'clear' },
  ]);
}

/** What takes back a fault that would last; undefined where it ends by itself. */
const undo = ({ do: kind }) => ({
  wrong_password: { do: kind, on: false }, no_sprop: { do: kind, on: false },
  loss: { do: kind, percent: 0 }, reorder: { do: kind, percent: 0 }, duplicate: { do: kind, percent: 0 }, late: { do: kind, percent: 0 },
})[kind];

class Soak {
  constructor(rig, random, names, longest) {
    Object.assign(this, { rig, random, names, longest, counts: {}, viewers: new Set(), errors: [], later: [] });
  }

  count(what) {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** One thing that happens: mostly to the cameras, sometimes to their entries in the gateway. */
  async happen() {
    const { random, rig } = this;
    const name = random.of(this.names);
    const dice = random.next();
    if (dice < 0.002) {
      this.count('all at once');
      await rig.cameras.order({ camera: '*', ...random.of([{ do: 'drop' }, { do: 'stall', seconds: 10 }, { do: 'blackhole', seconds: 15 }]) });
    } else if (dice < 0.9) {
      const order = fault(random);
      this.count(order.do);
      await rig.cameras.order({ camera: name, ...order });
      if (undo(order)) this.later.push({ at: Date.now() + random.between(5000, 40_000), order: { camera: name, ...undo(order) } });
    } else if (dice < 0.93) {
      this.count('disabled');
      for (const enabled of [false, true]) {
        const answer = await rig.gateway.patch(`/api/v1/cameras/${rig.ids.get(name)}`, { enabled });
        assert.equal(answer.status, 200, answer.text);
      }
    } else if (dice < 0.96) {
      this.count('changed');
      await rig.change(name, { transport: random.of(['auto', 'tcp', 'auto']), ...rig.trust(name) });
      await rig.change(name, { transport: 'auto', ...rig.trust(name) });
    } else {
      this.count('replaced');
      await rig.remove(name);
      await addCamera(rig, random, name, this.names.indexOf(name));
    }
  }

  /** Ends the faults whose time is over. */
  async takeBack() {
    const now = Date.now();
    const due = this.later.filter(({ at }) => at <= now);
    this.later = this.later.filter(({ at }) => at > now);
    for (const { order } of due) await this.rig.cameras.order(order);
  }

  /** Somebody who watches for a while. */
  view() {
    const { random, rig } = this;
    const name = random.of(this.names);
    const id = rig.ids.get(name);
    const ms = random.between(500, this.longest);
    const viewer = random.of([
      () => this.watch(`/live/${id}/main.mp4`, ms), () => this.watch(`/live/${id}/main.mp4`, ms),
      () => this.watch('/api/v1/live', ms, random), () => this.asleep(id, ms),
      () => this.fetch(`/api/v1/cameras/${id}/snapshot.jpg?stale=1`),
      () => this.fetch(`/api/v1/cameras/${id}/playback.mp4?from=${new Date(Date.now() - 20_000).toISOString()}&to=${new Date(Date.now() - 5000).toISOString()}`),
      () => this.fetch(`/live/${id}/index.m3u8`), () => this.play(id, ms), () => this.play(id, ms, 'RTP/AVP;unicast;client_port=49170-49171'),
      () => this.fetch('/metrics'), () => this.fetch('/api/v1/cameras?limit=50'),
    ]);
    const watching = viewer().catch((error) => {
      if (!/abort|terminated|timeout|reset|closed|socket/i.test(`${error.name} ${error.message} ${error.cause?.message}`)) this.errors.push(error);
    }).finally(() => this.viewers.delete(watching));
    this.viewers.add(watching);
  }

  async watch(path, ms, random = undefined) {
    this.count(`viewer ${path.replace(/\/live\/[^/]+\//, '')}`);
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), ms);
    try {
      const answer = await this.rig.gateway.fetch(path, { signal: abort.signal });
      let seen = 0, asked = !random;
      for await (const chunk of chunksOf(answer, abort.signal)) {
        seen += chunk.length;
        if (asked) continue;
        asked = true;
        const live = /"live":"([^"]+)"/.exec(Buffer.from(chunk).toString('latin1'))?.[1];
        const open = Array.from({ length: 9 }, (_, tile) => ({ tile, camera: this.rig.ids.get(random.of(this.names)) }));
        if (live) await this.rig.gateway.post(`/api/v1/live/${live}`, { open: open.filter(({ camera }) => camera) });
      }
      this.bytes = (this.bytes ?? 0) + seen;
    } finally {
      clearTimeout(timer);
    }
  }

  async fetch(path) {
    this.count(`get ${path.replace(/\?.*/, '').replace(/\/(live|cameras)\/[^/]+\//, '/')}`);
    const answer = await this.rig.gateway.fetch(path);
    await answer.arrayBuffer();
    if (answer.status === 500) this.errors.push(new Error(`500: ${path}`));
  }

  /** A player over RTSP: reads what comes interleaved, or lets datagrams go to where nobody listens. Goes without a word. */
  async play(id, ms, transport = 'RTP/AVP/TCP;unicast;interleaved=0-1') {
    this.count('viewer over RTSP');
    const { ticket } = (await this.rig.gateway.post('/api/v1/tickets', { camera: id, action: 'live' })).json;
    const socket = connect(split(readFileSync(join(this.rig.gateway.dir, 'rtsp.addr'), 'utf8').trim())).on('error', () => {});
    let head = '', bytes = 0;
    socket.on('data', (data) => {
      bytes += data.length;
      if (head.length < 16_384) head += data.toString('latin1');
    });
    const url = `rtsp://127.0.0.1/${id}`;
    const ask = async (method, path, more = '') => {
      head = '';
      socket.write(`${method} ${url}${path}?ticket=${ticket} RTSP/1.0\r\nCSeq: 1\r\n${more}\r\n`);
      await until(() => head.includes('\r\n\r\n') || socket.destroyed, 5000, `${method} is answered`).catch(() => socket.destroy());
      return / 200 /.test(head.slice(0, 20));
    };
    try {
      if (!(await ask('DESCRIBE', ''))) return;
      const control = /m=video[^]*?a=control:(\S+)/.exec(head)?.[1] ?? '';
      if (!(await ask('SETUP', `/${control.replace(/^rtsp:.*\//, '').replace(/\?.*/, '')}`, `Transport: ${transport}\r\n`))) return;
      const session = /session: *([^;\r]+)/i.exec(head)?.[1];
      if (!(await ask('PLAY', '', `Session: ${session}\r\n`))) return;
      this.count('plays over RTSP');
      await sleep(ms);
      this.bytes = (this.bytes ?? 0) + bytes;
    } finally {
      socket.destroy();
    }
  }

  /** Asks, and never reads. */
  async asleep(id, ms) {
    this.count('viewer that sleeps');
    const [host, port] = this.rig.gateway.address.split(':');
    const socket = connect({ host, port: Number(port) }).on('error', () => {});
    socket.pause();
    socket.write(`GET /live/${id}/main.mp4 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${this.rig.gateway.token}\r\n\r\n`);
    await sleep(ms);
    socket.destroy();
  }

  /** Faults and viewers until `end`, at about so many a second. */
  async storm(end, rate) {
    while (Date.now() < end) {
      await this.happen();
      await this.takeBack();
      if (this.random.next() < 0.5 && this.viewers.size < 40) this.view();
      await sleep(this.random.between(0, 2000 / rate));
      assert.ok(!this.rig.gateway.exit, `the gateway ended: ${JSON.stringify(this.rig.gateway.exit)}`);
      assert.ok(!this.rig.cameras.exit, `camera-sim ended: ${this.rig.cameras.log}`);
      if (Date.now() - (this.told ?? 0) > 60_000) {
        this.told = Date.now();
        const { items } = (await this.rig.gateway.get('/api/v1/cameras?state=live&limit=1000')).json;
        say({ live: items.length, ...this.rig.resources(), log_lines: this.rig.gateway.logLines, viewers: this.viewers.size, events: Object.values(this.counts).reduce((a, b) => a + b, 0) });
      }
    }
  }

  /** All faults over: every camera is live in time; the ms it took. */
  async peace() {
    const began = Date.now();
    this.later = [];
    await this.rig.cameras.order({ do: 'clear' }); // which cuts every connection once more
    await sleep(1000);
    await until(async () => {
      const { items } = (await this.rig.gateway.get('/api/v1/cameras?state=live&limit=1000')).json;
      const live = new Set(items.map(({ code }) => code));
      const missing = this.names.filter((name) => !live.has(name));
      if (missing.length) {
        const { main, state } = await this.rig.status(missing[0]);
        throw new Error(`${missing.length} are not, ${missing[0]} is ${state}: ${main.last_error}`);
      }
      return true;
    }, LIVE_AGAIN_MS, 'every camera is live again');
    const took = Date.now() - began;
    await Promise.all(this.viewers);
    return took;
  }
}

/** Half of them recorded, the rest watched only; some of these on demand would not be live at the end. */
function addCamera(rig, random, name, i) {
  return rig.add(name, { transport: 'auto', ...rig.trust(name) }, { record: { mode: i % 2 ? 'off' : 'continuous' } });
}

/* --- the run ------------------------------------------------------------------------------------------ */

/** One run; its figures. Throws what did not hold. */
export async function soak({ minutes, cameras: count, seed, rate = 4, sample = 20, times = DEFAULT_TIMES }) {
  const random = new Random(seed);
  const { cameras, bad } = makeCameras(random, count);
  const rig = await Rig.start({
    cameras: [...cameras, ...bad], bystanders: [],
    set: { 'ingest.auth_retry_s': 20, 'ingest.udp_loss_window_ms': 3000, 'ingest.transport_retry_s': 10, 'ingest.segment_s': 30, ...times },
  });
  const { gateway } = rig;
  const names = cameras.map(({ name }) => name);
  const life = new Soak(rig, random, names, Math.min(15_000, minutes * 10_000));
  const dir = gateway.dir;
  gateway.keep = true;
  const interrupted = () => {
    for (const child of [gateway.process, rig.cameras.process]) child.kill('SIGKILL');
    for (const path of [dir, rig.cameras.dir]) rmSync(path, { recursive: true, force: true });
    process.exit(130);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    for (const [i, name] of names.entries()) await addCamera(rig, random, name, i);
    for (const { name } of bad) await rig.add(name);
    const first = await life.peace();
    const began = Date.now(), whole = minutes * 60_000;
    say({ seed, cameras: count, minutes, first_live_ms: first });

    await life.storm(began + whole / 4, rate);
    const middle = await life.peace();
    await sleep(Math.min(10_000, whole / 10));
    const before = await calm(rig);
    say({ calm: before, live_again_ms: middle });
    await life.storm(began + whole, rate);
    const last = await life.peace();
    await sleep(Math.min(10_000, whole / 10));
    const after = await calm(rig);
    say({ calm: after, live_again_ms: last });
    assertFlat(before, after);
    assert.deepEqual(life.errors.map((error) => error.message), []);
    const lines = gateway.logLines;
    const events = Object.values(life.counts).reduce((a, b) => a + b, 0);
    assert.ok(lines <= LOG_LINES_AN_EVENT * events + 20 * count, `${lines} lines of log for ${events} events`);

    await sleep(2500);
    await gateway.stop(); // throws on a sanitizer's report: it ends with an error then
    const { stdout } = await run(program(), ['check', '--set', `gateway.data_dir=${dir}`], { timeout: 120_000 });
    const files = await rowsMatchFiles(dir);
    assert.ok(files.length >= count / 2, `${files.length} recordings`);
    for (let i = 0; i < sample; i++) {
      const { path } = random.of(files);
      const { video, complaints } = await decoded(path);
      assert.ok(Number(video?.nb_read_frames) > 0, `${path}: ${complaints}`);
    }
    const figures = {
      soak: 'cameras', seed, cameras: count, minutes: Number(((Date.now() - began) / 60_000).toFixed(1)), happened: life.counts,
      live_again_ms: [first, middle, last], calm: [before, after], log_lines: lines, viewer_bytes: life.bytes,
      recordings: files.length, recorded_bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), check: stdout.trim().split('\n').at(-1),
    };
    say(figures);
    return figures;
  } catch (error) {
    say({ failed: error.message, seed, happened: life.counts });
    console.error(gateway.log.slice(-20_000));
    throw error;
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await gateway.kill();
    await rig.cameras.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The rig's short waits are for tests; here the program's own are meant. */
const DEFAULT_TIMES = {
  'ingest.stall_ms': 8000, 'ingest.answer_timeout_ms': 8000, 'ingest.retry_min_ms': 1000, 'ingest.retry_max_ms': 30_000,
  'ingest.retry_unreachable_max_ms': 5000,
};

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const options = readArguments(process.argv.slice(2), { minutes: 60, cameras: 200, seed: Date.now() % 1_000_000 },
    './dev soak cameras [--minutes 60] [--cameras 200] [--seed N]');
  await soak(options);
}
