// Clocks that jump, wrap and begin anew, with every codec: one recording on our time, that runs forwards, and is
// never a second from what arrived.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { framesOf, decoded, Rig } from './lib/rig.mjs';
import { sleep, until } from './lib/gateway.mjs';

const FPS = 15;
const CLIPS = ['plain', 'bframes', 'h265', 'aac'];
const ORDERS = [
  { do: 'jump_timestamps', seconds: 3600 }, { do: 'jump_timestamps', seconds: -7200 }, { do: 'jump_timestamps', seconds: 1.5 },
  { do: 'jump_timestamps', seconds: -0.5 }, { do: 'wrap_timestamps', seconds: 0.5 }, { do: 'reset_ssrc' }, { do: 'reset_sequence' },
];
let rig, from, to;

before(async () => {
  rig = await Rig.start({ cameras: CLIPS.map((clip) => ({ name: `jumps-${clip}`, clip })), set: { 'ingest.segment_s': 5 } });
  for (const clip of CLIPS) await rig.add(`jumps-${clip}`, {}, { record: { mode: 'continuous' } });
  for (const clip of CLIPS) await rig.becomes(`jumps-${clip}`, 'live', 15_000);
  await sleep(1500);
  from = Date.now();
  for (const order of ORDERS) {
    for (const clip of CLIPS) await rig.cameras.order({ camera: `jumps-${clip}`, ...order });
    await sleep(1800);
  }
  to = Date.now();
  await until(async () => Date.parse((await rig.recordings('jumps-plain', from)).ranges.at(-1)?.to) >= to, 10_000, 'it is on the disk');
  await sleep(1500);
});
after(() => rig?.stop());

for (const clip of CLIPS) {
  test(`${clip}: one recording, forwards, within a second of what arrived`, { timeout: 30_000 }, async () => {
    const name = `jumps-${clip}`;
    const { ranges, gaps } = await rig.recordings(name, from, to);
    assert.equal(ranges.length, 1, JSON.stringify(ranges));
    assert.deepEqual(gaps, []);
    const { main } = await rig.status(name);
    assert.equal(main.reconnects, 0, main.last_error);
    const file = await rig.playback(name, from, to);
    const { times } = await framesOf(file);
    const seconds = (to - from) / 1000;
    // Each frame that was sent is there (a reset sequence may cost the group of pictures it happened in).
    assert.ok(times.length >= seconds * FPS - 2 * FPS, `${times.length} frames in ${seconds} s`);
    const steps = times.slice(1).map((t, i) => t - times[i]);
    assert.ok(steps.every((step) => step > 0 && step < 1.2), `steps: ${Math.min(...steps)} to ${Math.max(...steps)}`);
    const { duration, video, audio, complaints } = await decoded(file);
    assert.ok(Math.abs(duration - seconds) < 1, `${duration} s of ${seconds}`);
    // What lies before `from`, up to its keyframe, is in the file and not shown.
    assert.ok(Number(video.nb_read_frames) >= times.length - FPS - 1, `${video.nb_read_frames} of ${times.length} frames decode`);
    if (clip === 'aac') assert.ok(Number(audio?.nb_read_frames) > seconds * 15, `${audio?.nb_read_frames} frames of sound`);
    assert.ok(complaints.split('\n').length < 20, complaints);
  });
}

test('nobody else noticed', () => rig.kept());
