// A gateway with simulated cameras before it, for tests of what cameras do to it. Beside the cameras in question
// stand bystanders, which are recorded from the start: `kept()` shows that no frame of theirs was lost meanwhile.
//
//   const rig = await Rig.start({ cameras: [{ name: 'odd', answers: ['folded'] }], set: { 'ingest.stall_ms': 4000 } });
//   await rig.add('odd');                      a camera of the gateway, code and name 'odd'
//   await rig.becomes('odd', 'live');
//   await rig.kept();
//   await rig.stop();
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { Cameras } from './cameras.mjs';
import { Gateway, sleep, until } from './gateway.mjs';

const run = promisify(execFile);
const FPS = 15; // of all small clips

// Shorter than by default, and still longer than a busy test machine pauses.
export const QUICK = {
  'ingest.stall_ms': 4000,
  'ingest.answer_timeout_ms': 4000,
  'ingest.retry_min_ms': 100,
  'ingest.retry_max_ms': 400,
  'ingest.retry_unreachable_max_ms': 400,
};

export const iso = (ms) => new Date(ms).toISOString();
export const range = (from, to) => `from=${encodeURIComponent(iso(from))}&to=${encodeURIComponent(iso(to))}`;

/** Video packets of a file: their times in seconds, in order, and what ffprobe complains of. */
export async function framesOf(file) {
  const { stdout, stderr } = await run(
    'ffprobe',
    ['-v', 'error', '-select_streams', 'v:0', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0', file],
    { maxBuffer: 1 << 26 },
  );
  const times = stdout.split('\n').map(parseFloat).filter((t) => !Number.isNaN(t)).sort((a, b) => a - b);
  return { times, complaints: stderr.trim() };
}

/** Decodes a file from end to end: pictures, and what ffmpeg complains of. */
export async function decoded(file) {
  const { stdout, stderr } = await run(
    'ffprobe',
    ['-v', 'error', '-count_frames', '-of', 'json', '-show_entries',
      'format=duration:stream=codec_type,codec_name,width,height,nb_read_frames,sample_rate', file],
    { maxBuffer: 1 << 26 },
  );
  const all = JSON.parse(stdout);
  return {
    duration: Number(all.format.duration),
    video: all.streams.find((s) => s.codec_type === 'video'),
    audio: all.streams.find((s) => s.codec_type === 'audio'),
    complaints: stderr.trim(),
  };
}

// For a sanitizer's build: what was freed is kept for a while, to catch later uses; not so much that it hides what grows.
const ASAN_OPTIONS = `${process.env.ASAN_OPTIONS ?? 'detect_leaks=1'}:detect_stack_use_after_return=0:quarantine_size_mb=16`;

export class Rig {
  /**
   * options: {cameras: as in the simulator's configuration, with `clip` plain by default, set: options of the
   * gateway, or a function of the cameras that gives them, bystanders: clips recorded from the start, and what Cameras.start() takes}
   */
  static async start({ cameras = [], set = {}, bystanders = ['plain', 'h265', 'aac'], load, tls } = {}) {
    const rig = new Rig();
    process.env.ASAN_OPTIONS = ASAN_OPTIONS;
    const config = [
      ...cameras.map((camera) => ({ clip: 'plain', ...camera })),
      ...bystanders.map((clip) => ({ name: `beside-${clip}`, clip })),
    ];
    rig.settings = new Map(config.map((camera) => [camera.name, camera]));
    rig.ids = new Map();
    rig.cameras = await Cameras.start({ config: { all_clips: true, cameras: config }, load, tls });
    try {
      const more = typeof set === 'function' ? set(rig.cameras) : set;
      rig.gateway = await Gateway.start({ set: { 'ingest.allow': '127.0.0.0/8,::1', ...QUICK, ...more } });
      rig.department = (await rig.gateway.get('/api/v1/departments')).json.items[0].id;
      rig.bystanders = bystanders.map((clip) => `beside-${clip}`);
      for (const name of rig.bystanders) await rig.add(name, {}, { record: { mode: 'continuous' } });
      for (const name of rig.bystanders) await rig.becomes(name, 'live', 15_000);
      await sleep(500);
      rig.began = Date.now();
    } catch (error) {
      await rig.gateway?.kill();
      await rig.cameras.stop();
      throw error;
    }
    return rig;
  }

  /** What a stream needs beside its URL to get in: a password, a fingerprint. */
  trust(name) {
    const known = this.settings.get(name) ?? {};
    return {
      ...(known.auth ? { username: known.username ?? 'admin', password: known.password ?? '' } : {}),
      ...(known.tls ? { tls_fingerprint: this.cameras.fingerprint } : {}),
    };
  }

  /** Makes a camera of the gateway. stream: beside its URL; camera: beside name, code and streams. */
  async add(name, stream = {}, camera = {}) {
    const answer = await this.gateway.post('/api/v1/cameras', {
      name,
      code: name,
      department_id: this.department,
      streams: [{ role: 'main', url: this.cameras.url(name), ...this.trust(name), ...stream }],
      record: { mode: 'off' },
      ...camera,
    });
    assert.equal(answer.status, 201, `${name}: ${answer.text}`);
    this.ids.set(name, answer.json.id);
    return answer.json.id;
  }

  async change(name, stream) {
    const answer = await this.gateway.patch(`/api/v1/cameras/${this.ids.get(name)}`, {
      streams: [{ role: 'main', url: this.cameras.url(name), ...stream }],
    });
    assert.equal(answer.status, 200, `${name}: ${answer.text}`);
  }

  async remove(name) {
    const answer = await this.gateway.delete(`/api/v1/cameras/${this.ids.get(name)}`);
    assert.ok([200, 204].includes(answer.status), `${name}: ${answer.text}`);
    this.ids.delete(name);
  }

  async status(name) {
    const answer = await this.gateway.get(`/api/v1/cameras/${this.ids.get(name)}/status`);
    assert.equal(answer.status, 200, answer.text);
    return { ...answer.json, main: answer.json.streams[0] };
  }

  /** Waits until a camera is in a state; its status, and the ms it took. */
  async becomes(name, state, ms = 10_000) {
    const began = Date.now();
    const now = await until(
      async () => {
        const seen = await this.status(name);
        if (![state].flat().includes(seen.state)) throw new Error(`${name} is ${seen.state}: ${seen.main.last_error}`);
        return seen;
      },
      ms,
      `${name} is ${state}`,
    );
    return { ...now, took: Date.now() - began };
  }

  /** What the gateway's process holds now. */
  resources() {
    const { pid } = this.gateway.process;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return {
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      threads: Number(/Threads:\s+(\d+)/.exec(status)[1]),
      kib: Number(/VmRSS:\s+(\d+)/.exec(status)[1]),
    };
  }

  /** Waits until descriptors and threads are no more than before, and memory little more. */
  async returnsTo(before, { kib = 65_536, ms = 15_000 } = {}) {
    await until(() => {
      const now = this.resources();
      const fits = now.descriptors <= before.descriptors && now.threads <= before.threads && now.kib <= before.kib + kib;
      if (!fits) throw new Error(`${JSON.stringify(now)} after ${JSON.stringify(before)}`);
      return true;
    }, ms, 'descriptors, threads and memory are back where they were');
  }

  async recordings(name, from, to = Date.now()) {
    return (await this.gateway.get(`/api/v1/cameras/${this.ids.get(name)}/recordings?${range(from, to)}`)).json;
  }

  /** A recorded range as a file. */
  async playback(name, from, to) {
    const answer = await this.gateway.fetch(`/api/v1/cameras/${this.ids.get(name)}/playback.mp4?${range(from, to)}`);
    assert.equal(answer.status, 200, `${name}: ${answer.status}`);
    const file = join(this.cameras.dir, `${name}-${from}.mp4`);
    writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
    return file;
  }

  /** No bystander lost a frame since the start, or a packet, or its connection. */
  async kept() {
    const to = Date.now();
    await sleep(2500); // what was recorded until then is on the disk
    for (const name of this.bystanders) {
      const { main, state } = await this.status(name);
      assert.deepEqual([state, main.reconnects, main.packets_lost], ['live', 0, 0], `${name}: ${main.last_error}`);
      const { times } = await framesOf(await this.playback(name, this.began, to));
      // Where a busy machine delays them, their distances are steered, and what comes late comes bunched, within a
      // second. A lost frame leaves fewer than the time they take. Where the simulator itself was held up, it sent none.
      const steps = times.slice(1).map((t, i) => t - times[i]);
      const bunched = steps.some((step) => step < 0.5 / FPS);
      const { frames_late: own } = await this.cameras.stats(name);
      const lost = (times.at(-1) - times[0]) * FPS + 1 - times.length;
      assert.ok(lost < 0.9 + (bunched ? FPS : 0) + own * 60,
        `${name}: ${lost.toFixed(1)} frames lost, the longest step ${Math.max(...steps)} s, ${own} pauses of the simulator`);
      assert.ok(times.length >= ((to - this.began) / 1000) * FPS - (bunched ? 2 * FPS : 4) - own * 60,
        `${name}: ${times.length} frames in ${to - this.began} ms`);
    }
  }

  async stop() {
    try {
      await this.gateway?.stop();
    } finally {
      await this.cameras?.stop();
    }
  }
}
