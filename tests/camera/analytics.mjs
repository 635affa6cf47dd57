#!/usr/bin/env node
// A stand-in for an analytics box: it knows when something is to be seen in the simulated clips, and posts
// signals about it with an API token, as such a box would.
//
//   analytics.mjs --api http://127.0.0.1:8080 --token-file FILE --events FILE [--cameras FILE]
//                 [--every SECONDS] [--rest SECONDS] [--once]
//
// --cameras maps a scene's name (cam01) to the camera's id or code at the gateway; without it they are the same.
// --every: seconds between two new happenings (25). --rest: seconds until the same may happen anew (300).
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const REPEAT_S = 9; // while something lasts, a box says so again: the gateway counts, it does not open anew
const TRIES = 6;
const SLOWER_AFTER_S = 900; // a demo left alone all day does not bury its operators
const SLOWER = 6;

/** Waits, or not any longer than until `stop` aborts. */
function sleep(ms, stop) {
  return new Promise((done) => {
    const wake = () => {
      clearTimeout(timer);
      stop.removeEventListener('abort', wake);
      done();
    };
    const timer = setTimeout(wake, ms);
    stop.addEventListener('abort', wake);
    if (stop.aborted) wake();
  });
}

/** Where the clips are now: all that have one length show the same second, by the wall clock. */
export const position = (lengthS, nowMs) => (nowMs / 1000) % lengthS;

/** Decides what to say when. Pure: fed with the time, it answers with the events to post now. */
export class Plan {
  constructor(scenes, { every = 25, rest = 300 } = {}) {
    this.every = every;
    this.rest = rest;
    this.sights = scenes.flatMap((scene) =>
      scene.events.map((event) => ({ scene, event, begunMs: -Infinity, saidMs: -Infinity, episode: false })),
    );
    this.newestMs = -Infinity;
    this.startedMs = undefined;
  }

  /** The sights to post at this moment. */
  due(nowMs) {
    this.startedMs ??= nowMs;
    const out = [];
    for (const sight of this.sights) {
      const at = position(sight.scene.length_s, nowMs);
      const visible = at >= sight.event.at_s && at < sight.event.until_s;
      if (!visible) sight.episode = false;
      if (sight.episode && nowMs - sight.saidMs >= REPEAT_S * 1000) out.push(sight);
      sight.fresh = visible && !sight.episode && at < sight.event.until_s - 4 && nowMs - sight.begunMs >= this.rest * 1000;
    }
    const slow = nowMs - this.startedMs > SLOWER_AFTER_S * 1000 ? SLOWER : 1;
    if (nowMs - this.newestMs >= this.every * slow * 1000) {
      const fresh = this.sights.filter((s) => s.fresh).sort((a, b) => a.begunMs - b.begunMs || a.event.at_s - b.event.at_s)[0];
      if (fresh) {
        this.newestMs = fresh.begunMs = nowMs;
        fresh.episode = true;
        out.push(fresh);
      }
    }
    for (const sight of out) sight.saidMs = nowMs;
    return out;
  }
}

export function signalOf(sight, cameras, nowMs) {
  const { type, severity, message, boxes } = sight.event;
  const camera = cameras?.[sight.scene.camera] ?? sight.scene.camera;
  return { source: 'analytics-sim', type, occurred_at: new Date(nowMs).toISOString(), camera, severity, message, boxes };
}

/** Posts one signal; again, with longer and longer pauses, when the gateway is not there or says so. */
async function post(api, token, signal, stop) {
  for (let attempt = 1; !stop.aborted; attempt++) {
    let reason;
    try {
      const answer = await fetch(new URL('/api/v1/signals', api), {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(signal),
        signal: AbortSignal.timeout(5000),
      });
      if (answer.status === 202) return (await answer.json()).items[0];
      reason = `${answer.status} ${(await answer.text()).slice(0, 300)}`;
      if (answer.status < 500 && answer.status !== 429) throw new Error(`refused: ${reason}`);
    } catch (error) {
      if (error.message.startsWith('refused')) throw error;
      reason ??= error.cause?.code ?? error.message;
    }
    if (attempt === TRIES) throw new Error(`gave up after ${TRIES} tries: ${reason}`);
    await sleep(250 * 2 ** attempt * (0.75 + Math.random() / 2), stop);
  }
  return undefined;
}

function readArguments(argv) {
  const options = { every: 25, rest: 300 };
  for (let i = 0; i < argv.length; i++) {
    const name = argv[i].replace(/^--/, '').replace(/-(\w)/g, (_, c) => c.toUpperCase());
    if (!argv[i].startsWith('--')) throw new Error(`what is "${argv[i]}"?`);
    options[name] = name === 'once' ? true : argv[++i];
  }
  for (const needed of ['api', 'tokenFile', 'events']) {
    if (!options[needed]) throw new Error('usage: analytics.mjs --api URL --token-file FILE --events FILE [--cameras FILE]');
  }
  return options;
}

async function main() {
  const options = readArguments(process.argv.slice(2));
  const token = readFileSync(options.tokenFile, 'utf8').trim();
  const { scenes } = JSON.parse(readFileSync(options.events, 'utf8'));
  const cameras = options.cameras ? JSON.parse(readFileSync(options.cameras, 'utf8')) : undefined;
  const plan = new Plan(
    scenes.filter((scene) => !cameras || cameras[scene.camera]),
    { every: Number(options.every), rest: Number(options.rest) },
  );
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => stop.abort());
  let failures = 0;

  while (!stop.signal.aborted) {
    const now = Date.now();
    for (const sight of plan.due(now)) {
      const signal = signalOf(sight, cameras, now);
      try {
        const item = await post(options.api, token, signal, stop.signal);
        failures = 0;
        if (item) console.log(`${signal.occurred_at} ${sight.scene.camera} ${signal.type} incident=${item.incident_id}`);
        if (item && options.once) return;
      } catch (error) {
        console.error(`analytics: ${sight.scene.camera} ${signal.type}: ${error.message}`);
        if (++failures >= 20) throw new Error('the gateway takes no signals any more');
      }
    }
    await sleep(500, stop.signal);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  main().catch((error) => {
    console.error(`analytics: ${error.message}`);
    process.exitCode = 1;
  });
}
