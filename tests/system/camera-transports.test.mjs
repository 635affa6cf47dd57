// How packets come: UDP that reorders, repeats, delays and loses; auto that goes the way that works and remembers
// it; RTSPS with a fingerprint; passwords in every shape, asked for once and never hammered.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Rig } from './lib/rig.mjs';
import { sleep, until } from './lib/gateway.mjs';

const password = 'p@:/#%25 s';
let rig;

before(async () => {
  rig = await Rig.start({
    cameras: [
      { name: 'reorders', clip: 'wide', transports: 'udp' },
      { name: 'repeats', clip: 'h265', transports: 'udp' },
      { name: 'loses', clip: 'wide', transports: 'udp' },
      { name: 'falls-back', clip: 'wide', transports: 'udp' },
      { name: 'mute-over-tcp', tcp_silent: true },
      { name: 'one-way', transports: 'tcp' },
      { name: 'md5', auth: 'digest', password },
      { name: 'md5-qop', auth: 'digest', qop: true, password },
      { name: 'sha256', auth: 'digest-sha256', password },
      { name: 'several', auth: 'all', password },
      { name: 'basic', auth: 'basic', password },
      { name: 'stale', auth: 'digest', password, stale_every: 2 },
      { name: 'refuses', auth: 'digest', password },
      { name: 'refuses-both', auth: 'digest', password, sub: 'plain.sub' },
      { name: 'sealed', clip: 'aac', listen: '127.0.0.1:0', tls: true, auth: 'digest-sha256', password },
      { name: 'sealed-else', listen: '127.0.0.1:0', tls: true },
      { name: 'misnamed', listen: '127.0.0.2:0', tls: true },
    ],
    tls: true,
    // The small clips have some 25 packets a second, where a camera has hundreds: so a packet may wait for longer,
    // and a few that are lost are many percent.
    set: ({ authority }) => ({
      'ingest.udp_reorder_ms': 400, 'ingest.udp_loss_window_ms': 1000, 'ingest.udp_loss_percent': 1, 'ingest.transport_retry_s': 1,
      'ingest.tls_ca_file': authority,
    }),
  });
});
after(() => rig?.stop());

const order = (camera, what) => rig.cameras.order({ camera, ...what });

test('UDP that reorders and repeats loses no frame, and what comes too late is counted', { timeout: 40_000 }, async () => {
  await rig.add('reorders', { transport: 'udp' }, { record: { mode: 'continuous' } });
  await rig.add('repeats', { transport: 'udp' });
  for (const name of ['reorders', 'repeats']) assert.equal((await rig.becomes(name, 'live', 15_000)).main.transport, 'udp');
  await order('reorders', { do: 'reorder', percent: 20, distance: 2 });
  await order('repeats', { do: 'duplicate', percent: 30 });
  await sleep(5000);
  for (const name of ['reorders', 'repeats']) {
    const { main } = await rig.status(name);
    const sent = await rig.cameras.stats(name);
    assert.ok(sent.packets_reordered + sent.packets_duplicated > 20, `${name}: ${JSON.stringify(sent)}`);
    assert.deepEqual([main.packets_lost, main.reconnects], [0, 0], `${name}: ${main.last_error}`);
    assert.ok(main.fps > 13 && main.fps < 17, `${name}: ${main.fps}`);
  }
  await order('reorders', { do: 'reorder', percent: 0 });
  await order('reorders', { do: 'late', percent: 10, ms: 1000 });
  await until(async () => (await rig.status('reorders')).main.packets_late > 5, 15_000, 'packets that come a second late are counted');
});

test('UDP that loses 5 % is counted, and said where nothing else is offered', { timeout: 30_000 }, async () => {
  await rig.add('loses', { transport: 'udp' });
  await rig.becomes('loses', 'live', 15_000);
  await order('loses', { do: 'loss', percent: 5 });
  const { main } = await until(async () => {
    const now = await rig.status('loses');
    return now.main.packets_lost > 5 && /lost over UDP/.test(now.main.note ?? '') && now;
  }, 15_000, 'the loss is in the status in words');
  assert.equal(main.transport, 'udp');
  const { packets_lost: sent } = await rig.cameras.stats('loses');
  assert.ok(main.packets_lost <= sent + 5, `${main.packets_lost} counted of ${sent}`);
  assert.ok((await rig.gateway.metric('sharpeyes_ingest_packets_lost_total')) >= main.packets_lost);
});

test('auto falls back from lossy UDP to TCP, and remembers', { timeout: 40_000 }, async () => {
  await rig.add('falls-back', { transport: 'auto' });
  assert.equal((await rig.becomes('falls-back', 'live', 15_000)).main.transport, 'udp'); // TCP was refused
  await order('falls-back', { do: 'transports', offer: 'both' });
  await order('falls-back', { do: 'loss', percent: 10 });
  await until(async () => {
    const { main, state } = await rig.status('falls-back');
    return state === 'live' && main.transport === 'tcp';
  }, 20_000, 'it goes on over TCP');
  const before = await rig.cameras.stats('falls-back');
  await order('falls-back', { do: 'drop' });
  await until(async () => (await rig.cameras.stats('falls-back')).setups_tcp > before.setups_tcp, 10_000, 'a new session');
  const now = await rig.becomes('falls-back', 'live');
  assert.equal(now.main.transport, 'tcp');
  assert.equal((await rig.cameras.stats('falls-back')).setups_udp, before.setups_udp);
});

test('auto finds the way that works', { timeout: 40_000 }, async () => {
  await rig.add('mute-over-tcp', { transport: 'auto' });
  await rig.add('one-way', { transport: 'udp' });
  assert.match((await rig.becomes('one-way', 'offline', 15_000)).main.last_error, /UDP.*461|461.*UDP/);
  assert.equal((await rig.becomes('mute-over-tcp', 'live', 20_000)).main.transport, 'udp');
});

test('RTSPS by an authority: in where it vouches for the name, out where it does not, and back after each loss', { timeout: 50_000 }, async () => {
  const byAuthority = { tls_fingerprint: null };
  await rig.add('sealed', byAuthority, { record: { mode: 'continuous' } });
  await rig.add('misnamed', byAuthority);
  await rig.add('sealed-else', { tls_fingerprint: 'ab'.repeat(32) });
  assert.match((await rig.becomes('misnamed', 'offline', 15_000)).main.last_error, /certificate/);
  assert.match((await rig.becomes('sealed-else', 'offline', 15_000)).main.last_error, /certificate|fingerprint/);
  await rig.change('misnamed', { tls_fingerprint: rig.cameras.fingerprint });
  await rig.becomes('misnamed', 'live', 10_000); // pinned, the name is of no matter
  await rig.becomes('sealed', 'live', 15_000);
  for (const fault of [{ do: 'drop', reset: false }, { do: 'drop', reset: true }, { do: 'blackhole', seconds: 7 }]) {
    await order('sealed', fault);
    await rig.becomes('sealed', ['offline', 'connecting'], 10_000);
    await rig.becomes('sealed', 'live', 10_000);
  }
  await order('sealed', { do: 'burst', seconds: 60 });
  await sleep(1000);
  const { main, state } = await rig.status('sealed');
  assert.equal(state, 'live', main.last_error);
  assert.equal(main.packets_lost, 0);
});

test('every way to ask for a password is answered at the second request', { timeout: 40_000 }, async () => {
  for (const name of ['md5', 'md5-qop', 'sha256', 'several', 'basic', 'stale']) await rig.add(name);
  for (const name of ['md5', 'md5-qop', 'sha256', 'several', 'basic']) {
    await rig.becomes(name, 'live', 15_000);
    const { requests, auth_failures: failures, sessions } = await rig.cameras.stats(name);
    assert.deepEqual([failures, sessions], [0, 1], name);
    // OPTIONS, DESCRIBE twice, SETUP, PLAY; keep-alives come later.
    assert.ok(requests <= 5, `${name}: ${requests} requests`);
  }
  await rig.becomes('stale', 'live', 15_000);
  assert.equal((await rig.cameras.stats('stale')).sessions, 1);
});

test('a refused password is sent three times and no more, main and sub together, until it is changed', { timeout: 40_000 }, async () => {
  await rig.add('refuses', { password: 'canary-one' });
  const url = rig.cameras.url('refuses-both');
  const id = await rig.add('refuses-both', {}, {
    streams: [
      { role: 'main', url, username: 'admin', password: 'canary-two' },
      { role: 'sub', url: `${url}/sub`, username: 'admin', password: 'canary-two' },
    ],
  });
  for (const name of ['refuses', 'refuses-both']) assert.match((await rig.becomes(name, 'offline')).main.last_error, /refused the user name or password/);
  await sleep(4000); // many times the longest pause between tries
  const failures = async (...paths) => {
    let sum = 0;
    for (const path of paths) sum += (await rig.cameras.stats(path)).auth_failures;
    return sum;
  };
  assert.equal(await failures('refuses'), 3);
  const both = await failures('refuses-both', 'refuses-both/sub');
  assert.ok(both >= 1 && both <= 3, `${both} tries of main and sub`);
  await rig.change('refuses', { username: 'admin', password });
  await rig.becomes('refuses', 'live', 5000);
  assert.equal(await failures('refuses'), 3);
  assert.ok(id && !rig.gateway.log.includes('canary') && !rig.gateway.log.includes(password));
});

test('nobody else noticed', () => rig.kept());
