// Ten thousand times a camera connects and is dropped, in every way it can be, and nothing is left behind.
//
//   ./dev soak reconnect [--cycles 10000] [--cameras 50] [--seed N]
//
// JSON lines; the last one holds the figures. Ends with 0 when memory and descriptors at the end are what they were
// after the first fifth, and every camera is live.
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';

import { Rig } from '../system/lib/rig.mjs';
import { sleep, until } from '../system/lib/gateway.mjs';
import { assertFlat, calm, Random, readArguments, say } from './lib.mjs';

const KINDS = [{}, { auth: 'digest', password: 'x y' }, { transports: 'udp' }, { clip: 'aac' }, { tls: true, listen: '127.0.0.1:0' }];

export async function reconnect({ cycles, cameras: count, seed }) {
  const random = new Random(seed);
  const names = Array.from({ length: count }, (_, i) => `cam-${i}`);
  const rig = await Rig.start({
    cameras: names.map((name, i) => ({ name, ...KINDS[i % KINDS.length] })), bystanders: [],
    set: { 'ingest.retry_min_ms': 10, 'ingest.retry_max_ms': 50, 'ingest.retry_unreachable_max_ms': 50 },
  });
  const accepted = async () => (await rig.cameras.order({ do: 'stats', camera: 'cam-0' })).accepted;
  const live = async () => {
    await sleep(1000); // until the last drop is seen
    await until(
      async () => (await rig.gateway.get('/api/v1/cameras?state=live&limit=1000')).json.items.length === count, 20_000, 'all are live');
    await sleep(1000);
  };
  const began = Date.now();
  const first = await accepted();
  try {
    for (const [i, name] of names.entries()) await rig.add(name, rig.trust(name), { record: { mode: i % 5 ? 'off' : 'continuous' } });
    await live();
    let before;
    for (let done = 0, round = 0; done < cycles; round++, done = (await accepted()) - first) {
      const order = random.of([
        { do: 'drop', reset: true }, { do: 'drop', reset: false }, { do: 'refuse', seconds: 0.2 }, { do: 'drop', reset: true },
      ]);
      await rig.cameras.order({ camera: '*', ...order });
      await sleep(random.between(30, 300)); // some are dropped while they still shake hands
      if (round % 25 === 24) say({ cycles: done, ...rig.resources() });
      if (!before && done >= cycles / 5) {
        await live();
        before = await calm(rig);
      }
    }
    await live();
    await sleep(1500);
    const after = await calm(rig);
    assertFlat(before, after, { part: 0.05, kib: 16 * 1024 });
    const done = (await accepted()) - first;
    const log = rig.gateway.logLines;
    assert.ok(log < 400 + (Date.now() - began) / 50, `${log} lines of log`);
    await rig.stop();
    const figures = { soak: 'reconnect', seed, cycles: done, seconds: Math.round((Date.now() - began) / 1000), before, after, log_lines: log };
    say(figures);
    return figures;
  } catch (error) {
    say({ failed: error.message, seed });
    console.error(rig.gateway.log.slice(-20_000));
    await rig.gateway.kill();
    await rig.cameras.stop();
    throw error;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await reconnect(readArguments(process.argv.slice(2), { cycles: 10_000, cameras: 50, seed: Date.now() % 1_000_000 },
    './dev soak reconnect [--cycles 10000] [--cameras 50] [--seed N]'));
}
