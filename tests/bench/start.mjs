// How soon a new viewer of a running camera has its first picture: from the request (the connection is made already)
// to the last byte of the first keyframe. One by one, and many at once.
//
//   ./dev bench start [--cameras 20] [--viewers 100] [--every 50] [--runs 3]
import { LoadCameras, LoadGateway } from './lib/cameras.mjs';
import { stopAll } from './lib/process.mjs';
import { Report, options } from './lib/report.mjs';
import { HttpCrowd } from './lib/viewers.mjs';
import { sleep } from '../system/lib/gateway.mjs';

const args = options('start', { cameras: 20, viewers: 100, every: 50, runs: 3 });
const report = new Report('start');

async function crowd(run, load, how, every_ms) {
  const paths = load.ids.map((id) => `/live/${id}/main.mp4`);
  const viewers = HttpCrowd.start(load.gateway.address, paths, args.viewers, { token: load.gateway.token, every_ms });
  const { first_ms } = await viewers.ready();
  report.row({ run, how, cameras: args.cameras, viewers: args.viewers, p50_ms: first_ms.p50, p99_ms: first_ms.p99, max_ms: first_ms.max });
  await viewers.stop();
  await sleep(1000);
}

try {
  const cameras = await LoadCameras.start(args.cameras);
  for (let run = 1; run <= args.runs; run++) {
    const load = await LoadGateway.start();
    try {
      await load.cameras(cameras, args.cameras, 'continuous');
      await load.allLive();
      await sleep(3000); // a whole group of pictures
      await crowd(run, load, 'one by one', args.every);
      await crowd(run, load, 'all at once', 0);
    } finally {
      await load.stop();
    }
  }
  await cameras.stop();
  for (const how of ['one by one', 'all at once']) {
    report.demand(`milliseconds to the first picture, ${how}, the slowest`, report.median('max_ms', { how }), { most: 100 });
  }
  report.verdict();
} finally {
  await stopAll();
}
