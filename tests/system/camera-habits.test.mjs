// Cameras of many makers: what VLC, FFmpeg and GStreamer read must be read here, at the first try, and stay up.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Rig, framesOf } from './lib/rig.mjs';
import { sleep } from './lib/gateway.mjs';

const habits = [
  // Where the streams are said to be.
  { name: 'control-absolute', control: 'absolute' },
  { name: 'control-query', control: 'query' },
  { name: 'control-path', control: 'path', content_base: 'none' },
  { name: 'control-star', control: 'star' },
  { name: 'control-missing', control: 'missing', content_base: 'none' },
  { name: 'base-none', content_base: 'none' },
  { name: 'base-other', content_base: 'other' },
  { name: 'base-location', content_base: 'location' },
  { name: 'base-query', content_base: 'query' },
  { name: 'query-in-url', content_base: 'none', url: '?channel=1&subtype=0' },
  // Channels of the server's choice.
  { name: 'channels-own', clip: 'aac', channels: 'own' },
  { name: 'channels-reversed', clip: 'aac', channels: 'reversed' },
  // How answers are written.
  { name: 'upper', answers: ['upper'] },
  { name: 'lower', answers: ['lower'] },
  { name: 'folded', answers: ['folded'] },
  { name: 'blanks', answers: ['blanks', 'session_blanks'] },
  { name: 'doubled', answers: ['doubled'] },
  { name: 'bare-lf', answers: ['bare_lf'] },
  { name: 'trickle', answers: ['trickle'] },
  { name: 'no-cseq', answers: ['no_cseq'] },
  { name: 'provisional', answers: ['provisional'] },
  { name: 'all-at-once', answers: ['upper', 'folded', 'blanks', 'doubled', 'trickle', 'provisional', 'session_blanks'] },
  { name: 'odd-digest', auth: 'all', password: 'p@:/#%', answers: ['lower', 'folded', 'bare_lf'] },
  // What comes in mid-stream and is not media.
  { name: 'chatter', chatter: 0.3 },
  // Parameter sets.
  ...['start_codes', 'unpadded', 'spaced', 'commas'].flatMap((sprop) => [
    { name: `sprop-${sprop}`, sprop },
    { name: `sprop-${sprop}-h265`, sprop, clip: 'h265' },
  ]),
  // What is beside the picture.
  { name: 'metadata-first', tracks: ['application', 'text'] },
  { name: 'other-video-first', tracks: ['mjpeg', 'second_video', 'bare'] },
  { name: 'audio-first', clip: 'aac', audio_first: true },
  ...['pcma', 'pcmu', 'g726', 'opus', 'latm', 'unknown', 'nameless'].map((audio) => ({ name: `audio-${audio}`, audio })),
  { name: 'audio-first-unknown', audio: 'unknown', audio_first: true },
  { name: 'redirects', redirect: 'plain' },
];

let rig;

before(async () => {
  rig = await Rig.start({ cameras: habits.map(({ url, ...camera }) => camera) });
  for (const { name, url = '' } of habits) {
    await rig.add(name, { url: rig.cameras.url(name) + url }, name.startsWith('audio') ? { record: { mode: 'continuous' } } : {});
  }
});
after(() => rig?.stop());

test('each gets in at once and plays with every frame', { timeout: 60_000 }, async () => {
  for (const { name } of habits) await rig.becomes(name, 'live', 15_000);
  await sleep(4000);
  for (const { name } of habits) {
    const { state, main } = await rig.status(name);
    assert.equal(state, 'live', `${name}: ${main.last_error}`);
    assert.deepEqual([main.reconnects, main.packets_lost], [0, 0], `${name}: ${main.last_error}`);
    assert.ok(main.fps > 12 && main.fps < 18, `${name} has 15 frames a second, not ${main.fps}`);
    const { sessions } = await rig.cameras.stats(name === 'redirects' ? 'plain' : name);
    assert.equal(sessions, 1, `${name}: one session`);
  }
});

test('what nobody asked for in mid-stream is answered and costs nothing', async () => {
  const { replies } = await rig.cameras.stats('chatter');
  assert.ok(replies >= 5, `${replies} replies`);
  // Only the request that no standard knows is taken for garbage.
  assert.ok((await rig.gateway.metric('sharpeyes_ingest_garbage_bytes_total')) < 4096);
});

test('audio that no MP4 takes is left out with the reason, and the pictures are recorded', { timeout: 30_000 }, async () => {
  const to = Date.now(), from = to - 3000;
  await sleep(2500);
  for (const { name } of habits.filter((habit) => habit.name.startsWith('audio'))) {
    const { main } = await rig.status(name);
    if (name === 'audio-first') {
      assert.equal(main.audio, 'AAC');
      continue;
    }
    if (name !== 'audio-nameless') assert.match(`${main.audio}`, /\w/, `${name}: ${main.audio}`);
    const { times } = await framesOf(await rig.playback(name, from, to));
    assert.ok(times.length >= 42 && times.length <= 60, `${name}: ${times.length} frames in 3 s`);
  }
});

test('nobody else noticed', () => rig.kept());
