// How old a frame is when a viewer has all of it: from the moment the camera sends it (the simulator stamps each
// frame, tests/camera/README.md) to the moment its last byte was received, while all cameras are being recorded.
//
//   ./dev bench latency [--cameras 200] [--viewers 200] [--seconds 10] [--runs 3]
//
// The viewers watch the cameras in turn, over /live/{camera}/main.mp4. Simulator, gateway and viewers share the
// machine, so their own queueing is in the figures.
import { LoadCameras, LoadGateway } from './lib/cameras.mjs';
import { measure, stopAll } from './lib/process.mjs';
import { Report, options } from './lib/report.mjs';
import { HttpCrowd } from './lib/viewers.mjs';
import { sleep } from '../system/lib/gateway.mjs';

const args = options('latency', { cameras: 200, viewers: 200, seconds: 10, runs: 3 });
const report = new Report('latency');

async function one(run, cameras) {
  const load = await LoadGateway.start();
  try {
    await load.cameras(cameras, args.cameras, 'continuous');
    await load.allLive();
    await sleep(3000);
    const paths = load.ids.map((id) => `/live/${id}/main.mp4`);
    const crowd = HttpCrowd.start(load.gateway.address, paths, args.viewers, { token: load.gateway.token });
    await crowd.ready();
    await sleep(2000);
    await crowd.statistics();
    const seen = await measure(load.pid, args.seconds, { simulator: cameras.pid, viewers: crowd.pid });
    const { latency } = await crowd.statistics();
    const { cpu_percent, simulator_cpu_percent, viewers_cpu_percent, seconds } = seen;
    report.row({ run, cameras: args.cameras, viewers: args.viewers, seconds, frames: latency.count, p50_ms: latency.p50_ms, p99_ms: latency.p99_ms, max_ms: latency.max_ms, cpu_percent, simulator_cpu_percent, viewers_cpu_percent });
    await crowd.stop();
  } finally {
    await load.stop();
  }
}

try {
  const cameras = await LoadCameras.start(args.cameras, { stamp: true });
  for (let run = 1; run <= args.runs; run++) await one(run, cameras);
  await cameras.stop();
  report.demand('frames measured', report.median('frames', {}), { least: args.viewers * args.seconds * 24, digits: 0 });
  report.demand('milliseconds from send to receive, median', report.median('p50_ms', {}), { most: 3 });
  report.demand('milliseconds from send to receive, 99th percentile', report.median('p99_ms', {}), { most: 40 });
  report.verdict();
} finally {
  await stopAll();
}
