// Simulated cameras of 2 Mbit/s, and gateways that pull them.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';

import { Gateway, sleep, until } from '../../system/lib/gateway.mjs';
import { build, figures, line, start, stop } from './process.mjs';

/** `count` cameras on one port, each playing the same clip of 2 Mbit/s at another place: rtsp://ADDRESS/load/0 … */
export class LoadCameras {
  /** options: {stamp: each frame says when it was sent} */
  static async start(count, options = {}) {
    const clips = join(build, 'bench-clips');
    const drawn = spawnSync(join(build, 'clip-draw'), ['--out', clips, '--set', 'load'], { stdio: ['ignore', 'ignore', 'pipe'] });
    if (drawn.status !== 0) throw new Error(`the clip cannot be drawn: ${drawn.stderr}`);
    const cameras = new LoadCameras();
    cameras.count = count;
    cameras.child = start(join(build, 'camera-sim'), [
      '--clips', clips, '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--load', String(count),
      ...(options.stamp ? ['--stamp'] : []),
    ]);
    const ready = await line(cameras.child, 30_000);
    cameras.address = ready.rtsp;
    cameras.control = ready.control;
    return cameras;
  }

  get pid() {
    return this.child.pid;
  }

  /** What a peer appends /0, /1 … to. */
  get prefix() {
    return `rtsp://${this.address}/load`;
  }

  /** An order of the control port (tests/camera/README.md); its answer. */
  order(order) {
    const [host, port] = [this.control.slice(0, this.control.lastIndexOf(':')), Number(this.control.split(':').pop())];
    return new Promise((done, reject) => {
      const socket = createConnection({ host, port });
      let text = '';
      socket.setEncoding('utf8').on('data', (piece) => {
        text += piece;
        if (!text.includes('\n')) return;
        socket.destroy();
        const answer = JSON.parse(text.slice(0, text.indexOf('\n')));
        if (answer.ok) done(answer);
        else reject(new Error(`${JSON.stringify(order)}: ${answer.error}`));
      });
      socket.on('error', reject).on('connect', () => socket.write(`${JSON.stringify(order)}\n`));
    });
  }

  /** Sums of the cameras' counters: {frames, gops_dropped, …}. */
  async totals() {
    const sums = {};
    for (const stream of (await this.order({ do: 'stats', camera: '*' })).streams) {
      for (const [key, value] of Object.entries(stream)) {
        if (typeof value === 'number') sums[key] = (sums[key] ?? 0) + value;
      }
    }
    return sums;
  }

  stop() {
    return stop(this.child);
  }
}

/** A gateway whose cameras are those of the simulator. */
export class LoadGateway {
  /** options: {set: options of the gateway} */
  static async start(options = {}) {
    const load = new LoadGateway();
    load.gateway = await Gateway.start({ keep: true, set: { 'gateway.log_level': 'warn', ...options.set } });
    load.ids = [];
    await sleep(1000);
    load.base = figures(load.pid).kib;
    return load;
  }

  get pid() {
    return this.gateway.process.pid;
  }

  /** Makes it have the simulator's first `count` cameras. mode: 'off', 'continuous', 'on_demand'. */
  async cameras(cameras, count, mode) {
    const department = (await this.gateway.get('/api/v1/departments?limit=1')).json.items[0].id;
    const add = async (i) => {
      const answer = await this.gateway.post('/api/v1/cameras', {
        name: `load ${i}`,
        department_id: department,
        streams: [{ role: 'main', url: `${cameras.prefix}/${i}` }],
        record: { mode, retention_days: 1 },
      });
      if (answer.status !== 201) throw new Error(`a camera is refused: ${answer.status} ${answer.text}`);
      this.ids[i] = answer.json.id;
    };
    let next = this.ids.length;
    const adder = async () => {
      while (next < count) await add(next++);
    };
    await Promise.all(Array.from({ length: 8 }, adder));
  }

  /** How many streams play now. */
  live() {
    return this.gateway.metric('sharpeyes_ingest_streams{state="live"}');
  }

  async allLive(ms = 60_000) {
    const count = this.ids.length;
    await until(async () => (await this.live()) === count, ms, `${count} cameras are live`);
  }

  /** Ends it and starts it again on the same cameras; seconds from the start until all of them are live. */
  async coldStart(ms = 60_000) {
    if (this.gateway.process && !this.gateway.exit) await this.gateway.stop();
    const began = process.hrtime.bigint();
    await this.gateway.restart();
    await this.allLive(ms);
    return Number(process.hrtime.bigint() - began) / 1e9;
  }

  async stop() {
    await this.gateway.stop();
    this.clean();
  }

  clean() {
    rmSync(this.gateway.dir, { recursive: true, force: true });
  }
}
