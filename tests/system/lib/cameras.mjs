// Simulated cameras for a test: camera-sim on a free port with small clips (drawn once per build folder), orders
// for its faults, and its end by process id.
//
//   const cameras = await Cameras.start({ config: { cameras: [{ name: 'a', clip: 'plain', auth: 'digest' }] }, load: 0 });
//   cameras.url('plain')                                    rtsp://127.0.0.1:PORT/plain
//   await cameras.order({ do: 'stall', camera: 'a', seconds: 5 })
//   await cameras.stop()
//
// Clips: plain (H.264, with plain/sub), h265, bframes (H.264 with B frames), aac (H.264 and AAC), wide (H.264,
// 640x360); the others are 320x180, all 15 fps, a keyframe a second, 10 s long.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { program } from './gateway.mjs';

const build = process.env.SE_BUILD ?? dirname(program());
const run = promisify(execFile);

/** Draws a set of clips when the build folder lacks it; its folder. */
export async function clips(set = 'small') {
  const dir = join(build, `clips-${set}`);
  // Pango and fontconfig have threads of their own that ThreadSanitizer cannot see into.
  const env = { ...process.env, TSAN_OPTIONS: 'ignore_noninstrumented_modules=1' };
  await run(join(build, 'clip-draw'), ['--set', set, '--out', dir], { timeout: 120_000, env });
  return dir;
}

/** {host, port} of "127.0.0.1:8654" or "[::1]:8654". */
export const split = (address) => {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/[[\]]/g, ''), port: Number(address.slice(colon + 1)) };
};

export class Cameras {
  /** options: {config, load, loadClip, set: which clips, dir: or a folder of one's own clips, listen, tls: RTSPS for all} */
  static async start(options = {}) {
    const cameras = new this();
    const args = ['--clips', options.dir ?? (await clips(options.set)), '--listen', options.listen ?? '127.0.0.1:0'];

    cameras.dir = mkdtempSync(join(tmpdir(), 'cameras-'));
    if (options.config) {
      writeFileSync(join(cameras.dir, 'config.json'), JSON.stringify(options.config));
      args.push('--config', join(cameras.dir, 'config.json'));
    }
    cameras.authority = join(cameras.dir, 'camera-ca.pem');
    if (options.tls) args.push('--tls-listen', '127.0.0.1:0', '--tls-ca', cameras.authority);
    if (options.load) args.push('--load', String(options.load), '--load-clip', options.loadClip ?? 'plain');
    cameras.process = spawn(process.env.SE_SIM ?? join(build, 'camera-sim'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    cameras.log = '';
    cameras.process.stderr.setEncoding('utf8').on('data', (text) => (cameras.log += text));
    cameras.exited = new Promise((done) =>
      cameras.process.once('exit', (code, signal) => done((cameras.exit = { code, signal }))),
    );
    const ready = JSON.parse(await cameras.firstLine());
    Object.assign(cameras, {
      address: ready.rtsp, own: ready.own, names: ready.cameras, controlAddress: ready.control,
      secure: ready.rtsps, tls: new Set(ready.tls), fingerprint: ready.tls_fingerprint,
    });
    await cameras.openControl();
    return cameras;
  }

  firstLine() {
    return new Promise((done, reject) => {
      let text = '';
      const late = setTimeout(() => reject(new Error('camera-sim does not say where it listens')), 20_000);
      this.process.stdout.setEncoding('utf8').on('data', (piece) => {
        text += piece;
        if (!text.includes('\n')) return;
        clearTimeout(late);
        done(text.slice(0, text.indexOf('\n')));
      });
      this.exited.then(() => {
        clearTimeout(late);
        reject(new Error(`camera-sim ended: ${this.log}`));
      });
    });
  }

  openControl() {
    this.waiting = [];
    this.control = createConnection(split(this.controlAddress));
    let text = '';
    this.control.setEncoding('utf8').on('data', (piece) => {
      text += piece;
      for (let end; (end = text.indexOf('\n')) >= 0; text = text.slice(end + 1)) {
        this.waiting.shift()?.done(JSON.parse(text.slice(0, end)));
      }
    });
    const over = () => {
      for (const { reject } of this.waiting.splice(0)) reject(new Error(`camera-sim is gone: ${this.log}`));
    };
    this.control.on('close', over).on('error', over);
    return new Promise((done, reject) => this.control.once('connect', done).once('error', reject));
  }

  /** Gives an order as it is and answers with what came back, an error included. */
  ask(order) {
    return new Promise((done, reject) => {
      this.waiting.push({ done, reject });
      this.control.write(`${typeof order === 'string' ? order : JSON.stringify(order)}\n`);
    });
  }

  /** The same, but an error is thrown. */
  async order(order) {
    const answer = await this.ask(order);
    if (!answer.ok) throw new Error(`${JSON.stringify(order)}: ${answer.error}`);
    return answer;
  }

  /** Counters of one stream ("plain", "plain/sub"). */
  async stats(path) {
    return (await this.order({ do: 'stats', camera: path })).streams.find((stream) => stream.path === path);
  }

  /** Adds a camera while it runs, as in the configuration. */
  async add(camera) {
    const { address } = await this.order({ do: 'add', ...camera });
    if (camera.listen) this.own[camera.name] = address;
    if (camera.tls) this.tls.add(camera.name);
  }

  /** options: {username, password, tls: over RTSPS where all cameras have it} */
  url(path, { username, password, tls = this.tls.has(path) } = {}) {
    const who = username ? `${encodeURIComponent(username)}:${encodeURIComponent(password)}@` : '';
    const where = this.own[path] ?? (tls ? this.secure : this.address);
    return `${tls ? 'rtsps' : 'rtsp'}://${who}${where}/${path}`;
  }

  /** SIGTERM and the exit; throws when it was not clean. */
  async stop() {
    this.control?.destroy();
    if (!this.exit) {
      this.process.kill('SIGTERM');
      const late = setTimeout(() => this.process.kill('SIGKILL'), 10_000);
      await this.exited;
      clearTimeout(late);
    }
    rmSync(this.dir, { recursive: true, force: true });
    if (this.exit.code !== 0) throw new Error(`camera-sim ended with ${JSON.stringify(this.exit)}: ${this.log}`);
  }
}
