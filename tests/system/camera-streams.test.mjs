// Streams that are hard to keep: garbage between frames, hardly a keyframe, another size and another codec in the
// middle, frames out of order, bursts, a picture without an end. What arrived whole is recorded and plays.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { decoded, framesOf, Rig } from './lib/rig.mjs';
import { chunksOf, sleep, until } from './lib/gateway.mjs';

const FPS = 15;
// AddressSanitizer keeps what was freed; not so much of it here that memory cannot be seen to come back.
process.env.ASAN_OPTIONS = [process.env.ASAN_OPTIONS, 'quarantine_size_mb=16'].filter(Boolean).join(':');
let rig;

before(async () => {
  rig = await Rig.start({
    cameras: [
      { name: 'garbles', clip: 'wide' }, { name: 'garbles-h265', clip: 'h265' },
      { name: 'seldom', keyframe_every: 300 }, { name: 'never' },
      { name: 'changes' }, { name: 'recodes' }, { name: 'bframes', clip: 'bframes' }, { name: 'sounds', clip: 'aac' },
      { name: 'bursts', clip: 'wide' }, { name: 'endless' }, { name: 'endless-h265', clip: 'h265' },
    ],
    set: { 'ingest.segment_s': 4, 'ingest.gop_cache_bytes': 262_144 },
  });
});
after(() => rig?.stop());

const keep = { record: { mode: 'continuous' } };
async function addAll(...names) {
  for (const name of names) await rig.add(name, {}, keep);
  for (const name of names) await rig.becomes(name, 'live', 15_000);
}

/** Everything of a camera on the disk up to `to`. */
const stored = (name, to) => until(async () => {
  const { ranges } = await rig.recordings(name, to - 60_000);
  return ranges.length && Date.parse(ranges.at(-1).to) >= to - 200 && ranges;
}, 15_000, `${name} is on the disk`);

test('garbage between frames: in step again within a few bytes, no connection lost', { timeout: 40_000 }, async () => {
  await addAll('garbles', 'garbles-h265');
  await sleep(1000);
  const from = Date.now();
  const before = (await rig.gateway.metric('sharpeyes_ingest_garbage_bytes_total'));
  for (let i = 0; i < 6; i++) {
    for (const name of ['garbles', 'garbles-h265']) await rig.cameras.order({ do: 'garbage', camera: name, bytes: 1000 + i * 500, frames: 1, any: i % 2 === 1 });
    await sleep(1000);
  }
  const to = Date.now();
  for (const name of ['garbles', 'garbles-h265']) {
    const { main } = await rig.becomes(name, 'live');
    assert.equal(main.reconnects, 0, `${name}: ${main.last_error}`);
    await stored(name, to);
    const { times } = await framesOf(await rig.playback(name, from, to));
    // At most a group of pictures for each time, and in the rule nothing.
    assert.ok(times.length >= ((to - from) / 1000 - 6) * FPS, `${name}: ${times.length} frames of ${to - from} ms`);
    const steps = times.slice(1).map((t, i) => t - times[i]);
    assert.ok(Math.max(...steps) <= 1.1, `${name}: a hole of ${Math.max(...steps)} s`);
  }
  const found = (await rig.gateway.metric('sharpeyes_ingest_garbage_bytes_total')) - before;
  // 27,000 bytes were sent; what looked like the beginning of a frame took up to 4 KiB with it.
  assert.ok(found >= 20_000 && found <= 27_000 + 12 * 4096, `${found} bytes`);
});

test('a keyframe every 300 s, or none: memory stays, every frame is recorded, viewers wait', { timeout: 50_000 }, async () => {
  await addAll('seldom', 'never');
  await sleep(1500); // their files are open
  const held = rig.resources();
  await rig.cameras.order({ do: 'no_keyframes', camera: 'never', seconds: 60 });
  const from = Date.now();
  // 4 MB of a group of pictures, where 256 KiB are kept for viewers.
  for (let i = 0; i < 8; i++) {
    for (const name of ['seldom', 'never']) await rig.cameras.order({ do: 'burst', camera: name, seconds: 15 });
    await sleep(700);
  }
  const to = Date.now();
  for (const name of ['seldom', 'never']) {
    const { main, state } = await rig.status(name);
    assert.deepEqual([state, main.reconnects], ['live', 0], `${name}: ${main.last_error}`);
    assert.equal((await stored(name, to + 1500)).length, 1, name); // frames of a burst are spread over a second
    const { times } = await framesOf(await rig.playback(name, from - 2000, to + 1500));
    assert.ok(times.length > 8 * 15 * FPS * 0.9, `${name}: ${times.length} frames of ${8 * 15 * FPS} and more`);
  }
  const now = rig.resources();
  assert.ok(now.kib - held.kib < 48 * 1024, `${held.kib} KiB, then ${now.kib}`);
  // It ends as a file that plays.
  await rig.remove('seldom');
  await rig.cameras.order({ do: 'clear', camera: 'never' });
  await rig.becomes('never', 'live');
});

test('another size, another codec: both halves are there and play', { timeout: 40_000 }, async () => {
  await addAll('changes', 'recodes');
  await sleep(3000);
  await rig.cameras.order({ do: 'change_params', camera: 'changes', clip: 'wide' });
  await rig.cameras.order({ do: 'change_params', camera: 'recodes', clip: 'h265' });
  await until(async () => (await rig.status('changes')).main.width === 640, 8000, 'it is 640 wide');
  await until(async () => (await rig.status('recodes')).main.codec === 'h265', 8000, 'it is H.265');
  assert.equal((await rig.status('changes')).main.reconnects, 0);
  const changed = Date.now();
  await sleep(3000);
  const to = Date.now();
  for (const [name, before, after_] of [['changes', 'h264 320', 'h264 640'], ['recodes', 'h264 320', 'hevc 320']]) {
    await stored(name, to);
    for (const [a, b, expected] of [[changed - 4500, changed - 2000, before], [changed + 500, to, after_]]) {
      const { video, complaints } = await decoded(await rig.playback(name, a, b));
      assert.equal(`${video.codec_name} ${video.width}`, expected, name);
      assert.ok(Number(video.nb_read_frames) >= 20, `${name}: ${video.nb_read_frames}`);
      assert.equal(complaints, '', name);
    }
  }
});

test('frames out of order and sound: recorded whole, and decoded without a complaint', { timeout: 40_000 }, async () => {
  await addAll('bframes', 'sounds');
  await sleep(1000);
  const from = Date.now();
  await sleep(5000);
  const to = Date.now();
  for (const name of ['bframes', 'sounds']) {
    await stored(name, to);
    const { video, audio, duration, complaints } = await decoded(await rig.playback(name, from, to));
    assert.equal(complaints, '', name);
    assert.ok(Math.abs(Number(video.nb_read_frames) - 5 * FPS) <= FPS + 3, `${name}: ${video.nb_read_frames} pictures`);
    assert.ok(Math.abs(duration - (to - from) / 1000) < 0.2, `${name}: ${duration} s`);
    if (name === 'sounds') assert.ok(Number(audio.nb_read_frames) >= 5 * 30, `${audio.nb_read_frames} frames of sound`);
  }
});

test('a burst, and a picture without an end: cut off at the cap, and only there', { timeout: 80_000 }, async () => {
  await addAll('bursts', 'endless', 'endless-h265');
  await sleep(1500); // their files are open
  const held = rig.resources();
  const cut = await rig.gateway.metric('sharpeyes_ingest_frames_too_big_total');
  const abort = new AbortController();
  const seen = (async () => {
    let bytes = 0;
    const answer = await rig.gateway.fetch(`/live/${rig.ids.get('bursts')}/main.mp4`, { signal: abort.signal });
    for await (const chunk of chunksOf(answer, abort.signal)) bytes += chunk.length;
    return bytes;
  })().catch((error) => error);
  for (let i = 0; i < 5; i++) await rig.cameras.order({ do: 'burst', camera: 'bursts', seconds: 200 }); // 12 MB each
  for (const name of ['endless', 'endless-h265']) await rig.cameras.order({ do: 'endless', camera: name, bytes: 20 << 20 });
  await until(async () => (await rig.gateway.metric('sharpeyes_ingest_frames_too_big_total')) > cut + 1, 40_000, 'both are cut off');
  for (const name of ['bursts', 'endless', 'endless-h265']) {
    const { main } = await rig.becomes(name, 'live', 15_000);
    assert.equal(main.reconnects, 0, `${name}: ${main.last_error}`);
  }
  abort.abort();
  await seen;
  await sleep(1000);
  await rig.returnsTo(held, { kib: 96 * 1024 });
});

test('nobody else noticed', () => rig.kept());
