// Simulated cameras for a browser test: ten that play one small clip, each at another place in it.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { program, until } from '../../system/lib/gateway.mjs';

const run = promisify(execFile);
const build = () => dirname(program());

export class Cameras {
  /** Starts them; names are cam01, cam02 …; each has a main and a sub stream. */
  static async start(count) {
    const cameras = new Cameras();
    cameras.dir = mkdtempSync(join(tmpdir(), 'sharpeyes-cameras-'));
    const clips = join(cameras.dir, 'clips');
    await run(join(build(), 'clip-draw'), ['--out', clips, '--set', 'small', '--jobs', '1'], { timeout: 60_000 });
    cameras.names = Array.from({ length: count }, (_, i) => `cam${String(i + 1).padStart(2, '0')}`);
    const config = {
      all_clips: false,
      cameras: cameras.names.map((name, i) => ({ name, clip: 'plain', sub: 'plain.sub', phase: i })),
    };
    writeFileSync(join(cameras.dir, 'cameras.json'), JSON.stringify(config));
    const args = ['--clips', clips, '--config', join(cameras.dir, 'cameras.json'), '--listen', '127.0.0.1:0'];
    cameras.process = spawn(process.env.SE_SIM ?? join(build(), 'camera-sim'), args, {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    cameras.exited = new Promise((done) => cameras.process.once('exit', done));
    let out = '';
    cameras.process.stdout.setEncoding('utf8').on('data', (text) => (out += text));
    await until(() => out.includes('\n'), 15_000, 'the simulated cameras listen');
    const { rtsp, control } = JSON.parse(out.slice(0, out.indexOf('\n')));
    cameras.rtsp = rtsp;
    cameras.control = control;
    return cameras;
  }

  /** Gives an order to the simulator's control port; its answer. */
  order(what) {
    const [host, port] = this.control.split(':');
    return new Promise((done, failed) => {
      const socket = connect(Number(port), host, () => socket.write(`${JSON.stringify(what)}\n`));
      socket.setTimeout(5_000, () => socket.destroy(new Error('the simulator does not answer')));
      let text = '';
      socket.on('error', failed);
      socket.on('data', (piece) => {
        text += piece;
        if (!text.includes('\n')) return;
        socket.end();
        const answer = JSON.parse(text);
        if (answer.error) failed(new Error(answer.error));
        else done(answer);
      });
    });
  }

  async stop() {
    this.process?.kill('SIGTERM');
    await this.exited;
    rmSync(this.dir, { recursive: true, force: true });
  }
}
