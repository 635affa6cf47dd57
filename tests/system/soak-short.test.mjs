// The long runs in short: the same cameras, faults and checks, for seconds instead of an hour (see tests/soak).
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { soak } from '../soak/cameras.mjs';
import { reconnect } from '../soak/reconnect.mjs';

test('soak cameras: 24 of them with random faults and viewers', { timeout: 150_000 }, async () => {
  const figures = await soak({ minutes: 0.25, cameras: 24, seed: 20261122, rate: 8, sample: 5, times: {} });
  assert.ok(Object.keys(figures.happened).length > 15, JSON.stringify(figures.happened));
});

test('soak reconnect: a thousand connections', { timeout: 120_000 }, async () => {
  const figures = await reconnect({ cycles: 1000, cameras: 25, seed: 20261122 });
  assert.ok(figures.cycles >= 1000);
});
