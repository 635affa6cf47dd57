// What recording N cameras of 2 Mbit/s to fragmented MP4 costs: the gateway, and beside it, in the same run and
// from the same simulated cameras, a thread and libavformat for each camera that does what `ffmpeg -c copy
// -movflags frag_keyframe+empty_moov` does.
//
//   ./dev bench record [--n 50,200,500,1000] [--seconds 6] [--runs 3] [--peers 200]
//
// cpu_percent_per_camera is user and system time in percent of one core; memory is resident memory beyond what the
// process has without cameras. frames_missing compares what the cameras sent with what lies in the files: in the
// end the cameras fall silent, so that nothing is on its way when the gateway ends. Past 500 cameras it is an
// attempt: the row says what gave out, and nothing is demanded.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LoadCameras, LoadGateway } from './lib/cameras.mjs';
import { countTree } from './lib/fragments.mjs';
import { figures, line, measure, peer, round, stop, stopAll } from './lib/process.mjs';
import { Report, options } from './lib/report.mjs';
import { sleep } from '../system/lib/gateway.mjs';

const args = options('record', { n: [50, 200, 500, 1000], seconds: 6, runs: 3, peers: 200 });
const report = new Report('record');
const SETTLE_MS = 4000;
const DEMANDED = 500;

const perCamera = (seen, base, cameras) => ({
  seconds: seen.seconds,
  cpu_percent_per_camera: round(seen.cpu_percent / cameras.count, 5),
  memory_kib_per_camera: round((seen.kib - base) / cameras.count, 1),
  threads: seen.threads,
});

async function libavformat(run, cameras) {
  const dir = mkdtempSync(join(tmpdir(), 'bench-record-'));
  try {
    const idle = peer('pull-libav', ['1', cameras.prefix, dir]);
    await line(idle);
    const base = figures(idle.pid).kib;
    await stop(idle);
    const child = peer('pull-libav', [String(cameras.count), cameras.prefix, dir]);
    const { ready } = await line(child, 90_000);
    if (ready !== cameras.count) throw new Error(`libavformat records ${ready} of ${cameras.count} cameras`);
    await sleep(SETTLE_MS);
    const seen = await measure(child.pid, args.seconds, { simulator: cameras.pid });
    await stop(child);
    report.row({
      run,
      subject: 'libavformat',
      cameras: cameras.count,
      ...perCamera(seen, base, cameras),
      frames: countTree(dir).samples,
      simulator_cpu_percent: seen.simulator_cpu_percent,
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What the gateway itself counts as not recorded. */
async function losses(gateway) {
  const names = {
    packets_lost: 'sharpeyes_ingest_packets_lost_total',
    frames_damaged: 'sharpeyes_ingest_frames_damaged_total',
    frames_dropped: 'sharpeyes_record_dropped_frames_total',
    queue_full: 'sharpeyes_record_queue_full_total',
    reconnects: 'sharpeyes_ingest_reconnects_total',
  };
  const out = {};
  for (const [key, name] of Object.entries(names)) out[key] = await gateway.metric(name);
  return out;
}

/** What gave out first, in words; "" for nothing. */
function gaveOut(lost, sent, live, count) {
  if (live < count) return `${count - live} cameras are not live`;
  if (sent.gops_dropped > 0) return 'reading: cameras dropped pictures that were not taken in time';
  if (sent.frames_late > 0) return 'the simulator, which was too late with frames';
  if (lost.queue_full > 0) return 'the disk: its queue was full';
  if (lost.frames_dropped > 0) return 'recording: frames were dropped';
  return '';
}

async function gateway(run, cameras) {
  const load = await LoadGateway.start();
  try {
    const before = await cameras.totals();
    await load.cameras(cameras, cameras.count, 'continuous');
    await load.allLive();
    await sleep(SETTLE_MS);
    const seen = await measure(load.pid, args.seconds, { simulator: cameras.pid });
    const live = await load.live();
    await cameras.order({ do: 'stall', camera: '*', seconds: 60 });
    await sleep(2000);
    const after = await cameras.totals();
    const lost = await losses(load.gateway);
    const late = await load.gateway.stop().then(
      () => '',
      () => 'the disk: the end took more than 10 s',
    );
    const files = countTree(join(load.gateway.dir, 'recordings'));
    const sent = Object.fromEntries(Object.keys(after).map((key) => [key, after[key] - (before[key] ?? 0)]));
    report.row({
      run,
      subject: 'sharpeyes',
      cameras: cameras.count,
      ...perCamera(seen, load.base, cameras),
      frames: files.samples,
      frames_missing: sent.frames - files.samples,
      fragments_per_second: round(files.fragments / (files.samples / 25), 2),
      ...lost,
      gave_out: gaveOut(lost, sent, live, cameras.count) || late,
      simulator_cpu_percent: seen.simulator_cpu_percent,
    });
  } finally {
    if (!load.gateway.exit) await load.gateway.stop();
    load.clean();
  }
}

const one = (subject, cameras) => ({ subject, cameras });
function verdict() {
  for (const n of args.n.filter((count) => count <= args.peers)) {
    const cost = report.ratio('cpu_percent_per_camera', one('sharpeyes', n), one('libavformat', n));
    if (n >= 200 || args.n.length === 1) report.demand(`of libavformat's cost at ${n}`, cost, { most: 1 / 4 });
  }
  for (const n of args.n.filter((count) => count <= DEMANDED)) {
    const worst = Math.max(...report.rows.filter((row) => row.subject === 'sharpeyes' && row.cameras === n).map((row) => Math.abs(row.frames_missing)));
    report.demand(`frames missing of ${n} cameras in the worst run`, worst, { most: 0 });
    report.demand(`KiB of memory a camera at ${n}`, report.median('memory_kib_per_camera', one('sharpeyes', n)), { most: 800_000 / 1024, digits: 1 });
  }
  report.verdict();
}

try {
  for (let run = 1; run <= args.runs; run++) {
    for (const n of args.n) {
      const cameras = await LoadCameras.start(n);
      if (n <= args.peers) await libavformat(run, cameras);
      await gateway(run, cameras);
      await cameras.stop();
    }
  }
  verdict();
} finally {
  await stopAll();
}
