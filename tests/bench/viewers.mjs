// What sending one camera of 2 Mbit/s to N viewers costs: the gateway, and beside it, in the same run, a bare epoll
// loop that sends the same bytes at the same pace. Over HTTP, and over RTSP (TCP) as far as --rtsp says.
//
//   ./dev bench viewers [--n 100,300,1000] [--rtsp 300] [--seconds 5] [--runs 3]
//
// cpu_percent_per_viewer is user and system time of the whole process in percent of one core (pulling the one camera
// included); memory is resident memory beyond what the process has with the camera and no viewer. Trust the ratios
// of the last line, medians over the runs of what each run gives.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { LoadCameras, LoadGateway } from './lib/cameras.mjs';
import { figures, measure, round, stopAll } from './lib/process.mjs';
import { Report, options } from './lib/report.mjs';
import { BareFanout, FPS, HttpCrowd, RtspCrowd } from './lib/viewers.mjs';
import { sleep } from '../system/lib/gateway.mjs';

const args = options('viewers', { n: [100, 300, 1000], rtsp: 300, seconds: 5, runs: 3 });
const report = new Report('viewers');
const SETTLE_MS = 1500;

/** One way to watch: start(count) gives the crowd, pid the process that is measured. */
async function window(run, subject, count, way) {
  const base = figures(way.pid).kib;
  const crowd = way.start(count);
  const { first_ms } = await crowd.ready();
  await sleep(SETTLE_MS);
  await crowd.statistics();
  const seen = await measure(way.pid, args.seconds, { viewers: crowd.pid });
  const got = await crowd.statistics();
  report.row({
    run,
    subject,
    viewers: count,
    seconds: seen.seconds,
    cpu_percent_per_viewer: round(seen.cpu_percent / count, 5),
    memory_kib_per_viewer: round((seen.kib - base) / count, 2),
    mbit_per_viewer: round((got.bytes * 8) / 1e6 / count / seen.seconds, 3),
    frames_of_expected: round(got.frames / count / seen.seconds / FPS, 3),
    fewest_frames: got.fewest_frames,
    first_ms,
    threads: seen.threads,
    viewers_cpu_percent: seen.viewers_cpu_percent,
  });
  await crowd.stop();
  await sleep(500);
}

async function one(run, cameras) {
  const load = await LoadGateway.start();
  try {
    await load.cameras(cameras, 1, 'off');
    await load.allLive();
    await sleep(2500); // a whole group of pictures
    const path = `/live/${load.ids[0]}/main.mp4`;
    const { token, address } = load.gateway;
    const rtsp = readFileSync(join(load.gateway.dir, 'rtsp.addr'), 'utf8').trim();
    const { ticket } = (await load.gateway.post('/api/v1/tickets', { camera: load.ids[0], action: 'live' })).json;
    const bare = await BareFanout.start(address, path, token);
    const ways = {
      bare: { pid: bare.pid, start: (count) => HttpCrowd.start(bare.address, '/', count) },
      http: { pid: load.pid, start: (count) => HttpCrowd.start(address, path, count, { token, every_ms: 1 }) },
      rtsp: { pid: load.pid, start: (count) => RtspCrowd.start(rtsp, `${load.ids[0]}?ticket=${ticket}`, count), most: args.rtsp },
    };
    for (const count of args.n) {
      for (const [subject, way] of Object.entries(ways)) {
        if (count <= (way.most ?? count)) await window(run, subject, count, way);
      }
    }
    await bare.stop();
  } finally {
    await load.stop();
  }
}

function verdict() {
  for (const [subject, counts] of [['http', args.n], ['rtsp', args.n.filter((n) => n <= args.rtsp)]]) {
    for (const n of counts) {
      const way = `at ${n} over ${subject.toUpperCase()}`;
      const cpu = report.ratio('cpu_percent_per_viewer', { subject, viewers: n }, { subject: 'bare', viewers: n });
      report.demand(`times the bare fan-out's cost ${way}`, cpu, { most: 1.6 });
      report.demand(`part of the frames that came, ${way}`, report.median('frames_of_expected', { subject, viewers: n }), { least: 0.98 });
      report.demand(`KiB of memory per viewer ${way}`, report.median('memory_kib_per_viewer', { subject, viewers: n }), { most: 64, digits: 1 });
    }
  }
  report.verdict();
}

try {
  const cameras = await LoadCameras.start(1);
  for (let run = 1; run <= args.runs; run++) await one(run, cameras);
  await cameras.stop();
  verdict();
} finally {
  await stopAll();
}
