// What pulling N cameras of 2 Mbit/s over TCP costs: the gateway, and beside it, in the same run and from the same
// simulated cameras, a thread and libavformat for each camera, and a bare epoll loop that only skips the
// interleaved frames. Everything is thrown away by all of them; the gateway keeps its group of pictures.
//
//   ./dev bench ingest [--n 50,200,500,1000] [--seconds 5] [--runs 3] [--peers 200]
//
// cpu_percent_per_camera is user and system time in percent of one core; memory is resident memory beyond what the
// process has without cameras. Peers are measured up to --peers cameras. Trust the ratios of the last line, medians
// over the runs of what each run gives: the machine's other load moves the absolutes.
import { LoadCameras, LoadGateway } from './lib/cameras.mjs';
import { figures, line, measure, peer, round, stop, stopAll } from './lib/process.mjs';
import { Report, options } from './lib/report.mjs';
import { sleep } from '../system/lib/gateway.mjs';

const args = options('ingest', { n: [50, 200, 500, 1000], seconds: 5, runs: 3, peers: 200 });
const report = new Report('ingest');
const SETTLE_MS = 3000;

async function window(run, subject, cameras, pid, base, more = {}) {
  await sleep(SETTLE_MS);
  const seen = await measure(pid, args.seconds, { simulator: cameras.pid });
  report.row({
    run,
    subject,
    cameras: cameras.count,
    seconds: seen.seconds,
    cpu_percent_per_camera: round(seen.cpu_percent / cameras.count, 5),
    memory_kib_per_camera: round((seen.kib - base) / cameras.count, 1),
    threads: seen.threads,
    ...more,
    simulator_cpu_percent: seen.simulator_cpu_percent,
  });
}

async function peerOf(run, subject, program, cameras) {
  const idle = peer(program, ['1', cameras.prefix]);
  await line(idle, 20_000);
  const base = figures(idle.pid).kib;
  await stop(idle);
  const child = peer(program, [String(cameras.count), cameras.prefix]);
  const { ready } = await line(child, 90_000);
  if (ready !== cameras.count) throw new Error(`${program} pulls ${ready} of ${cameras.count} cameras`);
  await window(run, subject, cameras, child.pid, base);
  await stop(child);
}

async function gateway(run, cameras) {
  const load = await LoadGateway.start();
  try {
    await load.cameras(cameras, cameras.count, 'off');
    await load.allLive();
    const start = await load.coldStart();
    await window(run, 'sharpeyes', cameras, load.pid, load.base, { cold_start_s: round(start, 2) });
    await load.allLive(1000); // to the end
  } finally {
    await load.stop();
  }
}

const one = (subject, cameras) => ({ subject, cameras });
function verdict() {
  const ratios = {};
  for (const n of args.n.filter((count) => count <= args.peers)) {
    const cpu = (over, under) => report.ratio('cpu_percent_per_camera', one(over, n), one(under, n));
    ratios[`libavformat_${n}`] = round(cpu('libavformat', 'sharpeyes'), 2);
    report.demand(`of libavformat's cost at ${n}`, cpu('sharpeyes', 'libavformat'), { most: 1 / 8 });
    report.demand(`times the bare reader's cost at ${n}`, cpu('sharpeyes', 'bare'), { most: 2 });
  }
  const most = Math.max(...args.n);
  if (args.n.includes(200) && most > 200) {
    const growth = report.ratio('cpu_percent_per_camera', one('sharpeyes', most), one('sharpeyes', 200));
    report.demand(`times the cost of a camera at 200 when there are ${most}`, growth, { most: 1.5 });
  }
  const threads = report.rows.filter((row) => row.subject === 'sharpeyes').map((row) => row.threads);
  report.demand('threads more than at the fewest cameras', Math.max(...threads) - Math.min(...threads), { most: 0 });
  report.demand(`seconds until ${most} are live from a cold start`, report.median('cold_start_s', one('sharpeyes', most)), { most: 20 });
  report.verdict({ times_cheaper_than: ratios });
}

try {
  for (let run = 1; run <= args.runs; run++) {
    for (const n of args.n) {
      const cameras = await LoadCameras.start(n);
      if (n <= args.peers) {
        await peerOf(run, 'libavformat', 'pull-libav', cameras);
        await peerOf(run, 'bare', 'pull-bare', cameras);
      }
      await gateway(run, cameras);
      await cameras.stop();
    }
  }
  verdict();
} finally {
  await stopAll();
}
