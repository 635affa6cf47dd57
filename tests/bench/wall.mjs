// What a tile of a page costs: pages of 64 cameras in one GET /api/v1/live each, and beside them, in the same run,
// a plain viewer (/live/{camera}/main.mp4) for each of those tiles.
//
//   ./dev bench wall [--tiles 64] [--pages 20] [--seconds 5] [--runs 3]
//
// cpu_percent_per_tile is user and system time in percent of one core, beyond what the gateway takes to pull the
// cameras; memory is beyond what it has with the cameras and no viewer.
import { LoadCameras, LoadGateway } from './lib/cameras.mjs';
import { figures, measure, round, stopAll } from './lib/process.mjs';
import { Report, options } from './lib/report.mjs';
import { FPS, HttpCrowd } from './lib/viewers.mjs';
import { sleep } from '../system/lib/gateway.mjs';

const args = options('wall', { tiles: 64, pages: 20, seconds: 5, runs: 3 });
const report = new Report('wall');
const count = args.tiles * args.pages;

async function plain(load) {
  const paths = load.ids.map((id) => `/live/${id}/main.mp4`);
  return HttpCrowd.start(load.gateway.address, paths, count, { token: load.gateway.token, every_ms: 1 }); // not more at once than http.queue takes
}

async function pages(load) {
  const crowd = HttpCrowd.start(load.gateway.address, '/api/v1/live', args.pages, { token: load.gateway.token, page: true });
  const open = load.ids.map((camera, tile) => ({ tile, camera, stream: 'main' }));
  for (const id of await crowd.pages()) {
    const answer = await load.gateway.post(`/api/v1/live/${id}`, { open });
    if (answer.status !== 200) throw new Error(`tiles are refused: ${answer.status} ${answer.text}`);
  }
  return crowd;
}

async function window(run, subject, load, start) {
  const base = figures(load.pid).kib;
  const idle = await measure(load.pid, args.seconds);
  const crowd = await start(load);
  const { first_ms } = await crowd.ready();
  await sleep(2000);
  await crowd.statistics();
  const seen = await measure(load.pid, args.seconds, { viewers: crowd.pid });
  const got = await crowd.statistics();
  report.row({
    run,
    subject,
    tiles: count,
    seconds: seen.seconds,
    cpu_percent_per_tile: round((seen.cpu_percent - idle.cpu_percent) / count, 5),
    cpu_percent_idle: idle.cpu_percent,
    memory_kib_per_tile: round((seen.kib - base) / count, 2),
    mbit_per_tile: round((got.bytes * 8) / 1e6 / count / seen.seconds, 3),
    frames_of_expected: round(got.frames / count / seen.seconds / FPS, 3),
    first_ms,
    viewers_cpu_percent: seen.viewers_cpu_percent,
  });
  await crowd.stop();
  await sleep(1000);
}

try {
  const cameras = await LoadCameras.start(args.tiles);
  for (let run = 1; run <= args.runs; run++) {
    const load = await LoadGateway.start();
    try {
      await load.cameras(cameras, args.tiles, 'off');
      await load.allLive();
      await sleep(2500); // a whole group of pictures
      await window(run, 'plain', load, plain);
      await window(run, 'page', load, pages);
    } finally {
      await load.stop();
    }
  }
  await cameras.stop();
  const cpu = report.ratio('cpu_percent_per_tile', { subject: 'page' }, { subject: 'plain' });
  report.demand("times a plain viewer's cost for a tile", cpu, { most: 1 });
  report.demand('part of the frames that came to the tiles', report.median('frames_of_expected', { subject: 'page' }), { least: 0.98 });
  report.verdict();
} finally {
  await stopAll();
}
