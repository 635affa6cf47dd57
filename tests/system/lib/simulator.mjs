// Simulated cameras for a test: camera-sim on free ports of loopback, with its control port, ended by its id.
import { spawn, spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { writeFileSync } from 'node:fs';

import { program, until } from './gateway.mjs';

const tool = (name) => join(dirname(program()), name);

/** The folder of the small clips, drawn when they are not there. */
export function smallClips() {
  const dir = tool('test-clips');
  // Pango and fontconfig have threads of their own that ThreadSanitizer cannot see into.
  const env = { ...process.env, TSAN_OPTIONS: 'ignore_noninstrumented_modules=1' };
  const drawn = spawnSync(tool('clip-draw'), ['--out', dir, '--set', 'small'], { encoding: 'utf8', env });
  if (drawn.status !== 0) throw new Error(`the clips cannot be drawn: ${drawn.stderr}`);
  return dir;
}

export class Simulator {
  /** config: as in tests/camera/README.md; dir: where its file is written. */
  static async start({ config = { cameras: [] }, dir, clips = smallClips(), listen = '127.0.0.1:0' }) {
    const simulator = new Simulator();
    const file = join(dir, 'simulator.json');
    writeFileSync(file, JSON.stringify(config));
    simulator.process = spawn(
      process.env.SE_SIM ?? tool('camera-sim'),
      ['--clips', clips, '--listen', listen, '--control', '127.0.0.1:0', '--config', file],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    simulator.exited = new Promise((done) => simulator.process.once('exit', (code, signal) => done({ code, signal })));
    let first = '';
    simulator.process.stdout.setEncoding('utf8').on('data', (text) => (first += text));
    await until(() => first.includes('\n'), 15_000, 'camera-sim listens');
    Object.assign(simulator, JSON.parse(first.split('\n')[0]));
    return simulator;
  }

  url(path, userInfo = '') {
    return `rtsp://${userInfo}${this.rtsp}/${path}`;
  }

  /** One command on the control port; its answer. */
  async do(command) {
    const [host, port] = this.control.split(/:(?=\d+$)/);
    const socket = connect({ host, port: Number(port) });
    try {
      socket.setTimeout(5000, () => socket.destroy(new Error('the simulator does not answer')));
      socket.write(`${JSON.stringify(command)}\n`);
      for await (const line of createInterface({ input: socket })) {
        const answer = JSON.parse(line);
        if (answer.error) throw new Error(answer.error);
        return answer;
      }
      throw new Error('the simulator closed its control port');
    } finally {
      socket.destroy();
    }
  }

  async stop() {
    this.process.kill('SIGTERM');
    const { code, signal } = await this.exited;
    if (code !== 0) throw new Error(`camera-sim ended with ${code ?? signal}`);
  }
}
