// Servers that mean harm or know no better: each is refused with a reason, bounded in what it can take, and what it
// wrote into its description never comes back out of the gateway.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Rig } from './lib/rig.mjs';
import { sleep } from './lib/gateway.mjs';

const refused = [
  'long_header', 'many_headers', 'folded', 'endless_line', 'big_body', 'lying_length', 'many_media', 'not_rtsp', 'noise',
  'empty', 'crlf_sdp', 'zero_clock',
];
const endured = ['huge_frames', 'lying_packets', 'huge_clock'];
const answers = [
  { name: 'room', refuse_status: 453, refuse_method: 'SETUP', says: /no room/ },
  { name: 'transport', refuse_status: 461, refuse_method: 'SETUP', says: /461|transport/i },
  { name: 'nowhere', refuse_status: 404, says: /404/ },
  { name: 'broken', refuse_status: 500, refuse_method: 'PLAY', says: /500/ },
  { name: 'forbids', refuse_status: 403, says: /403/ },
  { name: 'strange', refuse_status: 999, says: /999/ },
  { name: 'circle', redirect: 'circle', says: /circle/ },
  { name: 'elsewhere', redirect: 'rtsp://192.0.2.9/x', says: /not allowed|ingest\.allow|allow/ },
  { name: 'to-a-file', redirect: 'file:///etc/passwd', says: /no rtsp/ },
  { name: 'dashes', redirect: 'rtsp://127.0.0.1:8554/\tx y', says: /no rtsp|redirect/ },
];

let rig, before_;

before(async () => {
  rig = await Rig.start({
    cameras: [...[...refused, ...endured].map((name) => ({ name, hostile: name })), ...answers.map(({ says, ...camera }) => camera)],
  });
  before_ = rig.resources();
  for (const name of [...refused, ...endured, ...answers.map(({ name }) => name)]) await rig.add(name);
});
after(() => rig?.stop());

test('each hostile description is refused with the reason', { timeout: 60_000 }, async () => {
  for (const name of refused) {
    const { main } = await rig.becomes(name, 'offline', 15_000);
    assert.match(`${main.last_error}`, /\w+ \w+/, name);
    assert.ok(main.last_error.length < 300 && !/[\r\n\t]/.test(main.last_error), `${name}: ${main.last_error}`);
  }
});

test('an error is an error, body or not, and said in words', { timeout: 60_000 }, async () => {
  for (const { name, says } of answers) {
    const { main } = await rig.becomes(name, 'offline', 15_000);
    assert.match(main.last_error, says, name);
  }
});

test('nothing of a hostile description comes back in a request', async () => {
  await sleep(2000); // and tries go on
  const { requests, injected } = await rig.cameras.stats('crlf_sdp');
  assert.ok(requests >= 2, `${requests} requests`);
  assert.equal(injected, 0);
});

test('packets that lie about themselves harm the stream they are in and nothing else', { timeout: 30_000 }, async () => {
  for (const name of ['huge_frames', 'lying_packets']) await rig.becomes(name, 'live', 15_000);
  await sleep(1000);
  for (const name of ['huge_frames', 'lying_packets']) assert.equal((await rig.status(name)).state, 'live', name);
});

test('the tries go on in measure, and what they took is given back', { timeout: 60_000 }, async () => {
  const begun = await Promise.all(refused.map((name) => rig.cameras.stats(name)));
  await sleep(3000);
  for (const [i, name] of refused.entries()) {
    const tries = (await rig.cameras.stats(name)).requests - begun[i].requests;
    // Each try is two or three requests; the back-off here begins at 0.1 s and ends at 0.4 s.
    assert.ok(tries <= 90, `${name}: ${tries} requests in 3 s`);
  }
  for (const name of [...refused, ...endured, ...answers.map(({ name: other }) => other)]) await rig.remove(name);
  await rig.returnsTo(before_);
});

test('nobody else noticed', () => rig.kept());
