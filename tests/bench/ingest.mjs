// What pulling a camera costs: the gateway, with recording off and on, and beside it, in the same run and from
// the same simulated cameras, a thread and libavformat for each camera, which throws all packets away.
//
//   ./dev bench ingest [--n 50] [--seconds 10]
//
// JSON lines: cpu_percent_per_camera is user and system time in percent of one core, over the window; memory is
// resident memory beyond what the process had without cameras. The last line holds the ratios: trust these, as
// the machine's other load moves the absolutes.
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

import { Gateway, sleep, until } from '../system/lib/gateway.mjs';

const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const build = resolve(root, process.env.SE_BUILD ?? 'build');
process.env.SHARPEYES ??= join(build, 'sharpeyes');
const TICKS = 100; // USER_HZ is 100 on every Linux that Debian ships

function readArguments(argv) {
  const out = { n: 50, seconds: 10 };
  for (let i = 0; i < argv.length; i++) {
    const [name, value] = argv[i].includes('=') ? argv[i].split('=') : [argv[i], argv[++i]];
    const key = name.replace(/^--/, '');
    if (!(key in out) || !(Number(value) > 0)) {
      console.error('usage: ./dev bench ingest [--n CAMERAS] [--seconds WINDOW]');
      process.exit(2);
    }
    out[key] = Number(value);
  }
  return out;
}
const { n, seconds } = readArguments(process.argv.slice(2));

const running = [];
function start(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.gone = new Promise((done) => child.once('exit', done));
  running.push(child);
  return child;
}
async function stop(child) {
  child.kill('SIGTERM');
  await child.gone;
}

async function line(child, ms) {
  const late = sleep(ms).then(() => {
    throw new Error(`${child.spawnfile} said nothing within ${ms} ms`);
  });
  const { value, done } = await Promise.race([child.lines.next(), late]);
  if (done) throw new Error(`${child.spawnfile} ended`);
  return JSON.parse(value);
}

/** CPU seconds, resident KiB and threads of a process. */
function figures(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    cpu: (Number(fields[11]) + Number(fields[12])) / TICKS,
    kib: Number(/VmRSS:\s+(\d+)/.exec(status)[1]),
    threads: readdirSync(`/proc/${pid}/task`).length,
  };
}

async function measure(pid, base, simulator, more) {
  const before = figures(pid);
  const sim = figures(simulator);
  const began = process.hrtime.bigint();
  await sleep(seconds * 1000);
  const took = Number(process.hrtime.bigint() - began) / 1e9;
  const after = figures(pid);
  const result = {
    bench: 'ingest',
    ...more,
    cameras: n,
    seconds: Number(took.toFixed(2)),
    cpu_percent_per_camera: Number((((after.cpu - before.cpu) / took) * 100 / n).toFixed(4)),
    memory_kib_per_camera: Number(((after.kib - base) / n).toFixed(1)),
    threads: after.threads,
    simulator_cpu_percent: Number((((figures(simulator).cpu - sim.cpu) / took) * 100).toFixed(1)),
  };
  console.log(JSON.stringify(result));
  return result;
}

async function libavformat(rtsp, simulator) {
  const idle = start(join(build, 'tests/bench/pull-libav'), ['1', `rtsp://${rtsp}/load`]);
  await line(idle, 20_000);
  const base = figures(idle.pid).kib;
  await stop(idle);
  const peer = start(join(build, 'tests/bench/pull-libav'), [String(n), `rtsp://${rtsp}/load`]);
  const { ready } = await line(peer, 60_000);
  if (ready !== n) throw new Error(`libavformat pulls ${ready} of ${n} cameras`);
  await sleep(2000);
  const result = await measure(peer.pid, base, simulator, { subject: 'libavformat, a thread a camera', record: false });
  await stop(peer);
  return result;
}

async function addCameras(gateway, rtsp) {
  const departments = await gateway.request('GET', '/api/v1/departments?limit=1');
  const department = departments.json.items[0].id;
  const ids = [];
  for (let i = 0; i < n; i++) {
    const answer = await gateway.request('POST', '/api/v1/cameras', {
      json: {
        name: `load ${i}`,
        department_id: department,
        streams: [{ role: 'main', url: `rtsp://${rtsp}/load/${i}` }],
        record: { mode: 'off', retention_days: 1 },
      },
    });
    if (answer.status !== 201) throw new Error(`a camera is refused: ${answer.status} ${answer.text}`);
    ids.push(answer.json.id);
  }
  return ids;
}

async function allLive(gateway) {
  await until(
    async () => {
      const page = await gateway.request('GET', '/api/v1/cameras?state=live&limit=1000');
      return page.json.items.length === n;
    },
    60_000,
    `${n} cameras are live`,
  );
}

const clips = join(build, 'bench-clips');
const drawn = spawnSync(join(build, 'clip-draw'), ['--out', clips, '--set', 'load'], { stdio: ['ignore', 'ignore', 'pipe'] });
if (drawn.status !== 0) throw new Error(`the clip cannot be drawn: ${drawn.stderr}`);

let gateway;
try {
  const sim = start(join(build, 'camera-sim'), [
    '--clips', clips, '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--load', String(n),
  ]);
  const { rtsp } = await line(sim, 20_000);
  const peer = await libavformat(rtsp, sim.pid);

  gateway = await Gateway.start({ set: { 'gateway.log_level': 'warn' } });
  await sleep(500);
  const base = figures(gateway.process.pid).kib;
  const ids = await addCameras(gateway, rtsp);
  await allLive(gateway);
  await sleep(2000);
  const off = await measure(gateway.process.pid, base, sim.pid, { subject: 'sharpeyes', record: false });
  for (const id of ids) {
    const answer = await gateway.request('PATCH', `/api/v1/cameras/${id}`, {
      json: { record: { mode: 'continuous', retention_days: 1 } },
    });
    if (answer.status !== 200) throw new Error(`recording is refused: ${answer.status} ${answer.text}`);
  }
  await sleep(3000);
  const on = await measure(gateway.process.pid, base, sim.pid, { subject: 'sharpeyes', record: true });
  await allLive(gateway); // to the end
  console.log(
    JSON.stringify({
      bench: 'ingest',
      cameras: n,
      cpu_ratio: Number((peer.cpu_percent_per_camera / off.cpu_percent_per_camera).toFixed(2)),
      cpu_ratio_recording: Number((peer.cpu_percent_per_camera / on.cpu_percent_per_camera).toFixed(2)),
      memory_ratio: Number((peer.memory_kib_per_camera / off.memory_kib_per_camera).toFixed(2)),
    }),
  );
} finally {
  if (gateway) await gateway.stop();
  for (const child of running) if (child.exitCode === null && child.signalCode === null) await stop(child);
}
