#!/usr/bin/env node
// What `./dev run` starts: simulated cameras, the gateway with the demo county, and a stand-in for an analytics
// box. Everything it starts it ends by process id, whichever of them goes first.
//
//   demo.mjs [--http 127.0.0.1:8080] [--data DIR]
//
// The environment says the same: SE_HTTP, SE_DEMO_DATA; and SE_BUILD, the folder of the programs, and
// SE_DEMO_CLIPS, a folder of clips that are taken as they are.
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
const build = resolve(root, process.env.SE_BUILD ?? 'build');
const READY_MS = 60_000;
const END_MS = 12_000; // the gateway promises to end within 10 s

const options = readArguments(process.argv.slice(2));
const data = resolve(root, options.data);
const shown = (path) => (relative(process.cwd(), path).startsWith('..') ? path : relative(process.cwd(), path));
const say = (text) => console.log(text);

class Refusal extends Error {} // the words are all that the reader needs

function readArguments(argv) {
  const out = { http: process.env.SE_HTTP ?? '127.0.0.1:8080', data: process.env.SE_DEMO_DATA ?? join(build, 'demo-data') };
  for (let i = 0; i < argv.length; i++) {
    const [name, value] = argv[i].includes('=') ? argv[i].split(/=(.*)/) : [argv[i], argv[++i]];
    if (!['--http', '--data'].includes(name) || !value) {
      console.error('usage: ./dev run [--http 127.0.0.1:PORT] [--data DIR]');
      process.exit(2);
    }
    out[name.slice(2)] = value;
  }
  return out;
}

// --- children ----------------------------------------------------------------

const children = []; // in the order of their start: ended in the other one
const stop = new AbortController();
const failed = new Promise((_, reject) => {
  stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true });
});
failed.catch(() => {});

/** Starts a program in a process group of its own, so that Ctrl-C reaches it only through us. */
function start(name, file, args, { log, env, piped } = {}) {
  const out = log ? openSync(log, 'w', 0o600) : 'inherit';
  const process_ = spawn(file, args, {
    detached: true,
    stdio: ['ignore', piped ? 'pipe' : out, out],
    env: { ...process.env, ...env },
  });
  const child = { name, process: process_, log, ended: false, wanted: false };

  if (log) closeSync(out);
  child.exit = new Promise((done) => {
    process_.once('error', (error) => (child.ended = true, done(`could not be started: ${error.message}`)));
    process_.once('exit', (code, signal) => (child.ended = true, done(signal ? `was ended by ${signal}` : `ended with ${code}`)));
  });
  children.push(child);
  return child;
}

/** From now on its end is the end of all. */
function watch(child) {
  child.exit.then((how) => {
    if (child.wanted || stop.signal.aborted) return;
    const tail = child.log ? readFileSync(child.log, 'utf8').split('\n').slice(-15).join('\n') : '';
    stop.abort(new Refusal(`${child.name} ${how}.${tail ? `\n${tail}\nAll of it: ${shown(child.log)}` : ''}`));
  });
}

async function end(child) {
  if (child.ended) return;
  child.wanted = true;
  child.process.kill('SIGTERM');
  const timer = setTimeout(() => {
    console.error(`demo: ${child.name} did not end within ${END_MS / 1000} s and is killed`);
    child.process.kill('SIGKILL');
  }, END_MS);
  await child.exit;
  clearTimeout(timer);
}

async function endAll() {
  for (const child of [...children].reverse()) await end(child);
}

/** Runs a program to its end; its standard output. */
async function run(name, file, args, env) {
  const child = start(name, file, args, { log: join(data, `${name}.log`), env, piped: true });
  let text = '';

  child.process.stdout.setEncoding('utf8').on('data', (piece) => (text += piece));
  child.wanted = true;
  const how = await Promise.race([child.exit, failed]);
  if (how !== 'ended with 0') throw new Refusal(`${name} ${how}:\n${readFileSync(child.log, 'utf8').slice(-2000)}`);
  return text;
}

/** The first line that a program prints. */
function firstLine(child) {
  return new Promise((done, reject) => {
    let text = '';

    child.process.stdout.setEncoding('utf8').on('data', (piece) => {
      text += piece;
      if (text.includes('\n')) done(text.slice(0, text.indexOf('\n')));
    });
    child.exit.then((how) => reject(new Refusal(`${child.name} ${how}: ${readFileSync(child.log, 'utf8').slice(-1000)}`)));
  });
}

const sleep = (ms) => Promise.race([new Promise((done) => setTimeout(done, ms)), failed]);

// --- steps -------------------------------------------------------------------

function split(address) {
  const match = /^(\[[0-9a-fA-F:]+\]|[0-9.]+):(\d+)$/.exec(address);
  if (!match) throw new Refusal(`"${address}" is not an address: it must look like 127.0.0.1:8080`);
  return { host: match[1].replace(/[[\]]/g, ''), port: Number(match[2]) };
}

/** Is it free? An error's code when not. */
function probe(address) {
  return new Promise((done) => {
    const server = createServer();

    server.once('error', (error) => done(error.code));
    server.listen({ ...split(address), exclusive: true }, () => server.close(() => done(null)));
  });
}

async function drawClips(clips) {
  const child = start('clip-draw', join(build, 'clip-draw'), ['--out', clips]);

  child.wanted = true;
  const how = await Promise.race([child.exit, failed]);
  if (how !== 'ended with 0') throw new Refusal(`clip-draw ${how}: the clips could not be drawn`);
}

async function startCameras(clips) {
  const wanted = '127.0.0.1:8654';
  const listen = (await probe(wanted)) ? '127.0.0.1:0' : wanted;
  const child = start('camera-sim', join(build, 'camera-sim'), ['--clips', clips, '--listen', listen, '--config', join(here, 'demo-cameras.json')], {
    log: join(data, 'camera-sim.log'),
    piped: true,
  });

  const ready = JSON.parse(await Promise.race([firstLine(child), failed]));
  watch(child);
  return `rtsp://${ready.rtsp}`;
}

async function startGateway(env) {
  if (await probe('127.0.0.1:8554')) env = { SHARPEYES_RTSP_LISTEN: '127.0.0.1:0', ...env }; // it says where, in rtsp.addr
  const child = start('sharpeyes', join(build, 'sharpeyes'), ['serve'], { log: join(data, 'sharpeyes.log'), env });
  const late = Date.now() + READY_MS;

  watch(child);
  for (;;) {
    try {
      const answer = await fetch(`http://${options.http}/readyz`, { signal: AbortSignal.timeout(2000) });
      if (answer.status === 200) return;
    } catch {
      // not yet
    }
    if (Date.now() > late) throw new Refusal(`the gateway is not ready after ${READY_MS / 1000} s: see ${shown(child.log)}`);
    await sleep(100);
  }
}

async function api(method, path, token, body) {
  const answer = await fetch(`http://${options.http}${path}`, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    body: body ? JSON.stringify(body) : undefined,
    signal: AbortSignal.timeout(15_000),
  });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : null };
}

async function need(method, path, token, body) {
  const answer = await api(method, path, token, body);
  if (answer.status >= 300) {
    throw new Refusal(`${method} ${path}: ${answer.status} ${answer.body?.title ?? ''} ${answer.body?.detail ?? ''}`);
  }
  return answer.body;
}

/** Written beside and renamed, so that a half file is never read. */
function keep(file, text) {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  chmodSync(`${file}.new`, 0o600);
  renameSync(`${file}.new`, file);
}

/** Which camera of the gateway shows which scene: by the last part of its stream's address. */
async function cameraMap(token) {
  const { items } = await need('GET', '/api/v1/cameras?limit=1000', token);
  const map = {};

  for (const camera of items) {
    const main = camera.streams?.find((stream) => stream.role === 'main') ?? camera.streams?.[0];
    const name = main?.url && decodeURIComponent(new URL(main.url).pathname.slice(1));
    if (name) map[name] = camera.id;
  }
  return map;
}

/** The user that the analytics box is: one of the seeds' integrators, or a new one. */
async function integrator(token) {
  const { items } = await need('GET', '/api/v1/users?limit=1000', token);
  const found = items.find((user) => (user.roles ?? []).includes('integrator') && user.enabled !== false);

  if (found) return found.id;
  return (await need('POST', '/api/v1/users', token, { username: 'analytics', display_name: 'Analytics stand-in', roles: ['integrator'] })).id;
}

/** A token and a map for the analytics box; made once, kept in the data directory. */
async function prepareAnalytics(files) {
  const password = readFileSync(join(data, 'initial-admin-password'), 'utf8').trim();
  const session = await api('POST', '/api/v1/sessions', null, { username: 'admin', password });

  if (session.status !== 201) {
    if (existsSync(files.token) && existsSync(files.cameras)) return; // the password was changed: what was made then still serves
    throw new Refusal(`admin cannot sign in with ${shown(join(data, 'initial-admin-password'))}. ` +
      `To start over, remove ${shown(data)}`);
  }
  const { token } = session.body;
  keep(files.cameras, JSON.stringify(await cameraMap(token)));
  if (!existsSync(files.token) || (await api('GET', '/api/v1/sessions/current', readFileSync(files.token, 'utf8').trim())).status !== 200) {
    const made = await need('POST', '/api/v1/tokens', token, { name: 'demo analytics', user_id: await integrator(token) });
    keep(files.token, `${made.token}\n`);
  }
  await api('DELETE', '/api/v1/sessions/current', token);
}

async function startAnalytics(clips) {
  const files = { token: join(data, 'demo-analytics-token'), cameras: join(data, 'demo-cameras.json') };

  await prepareAnalytics(files);
  const child = start('analytics', process.execPath, [
    join(here, 'analytics.mjs'), '--api', `http://${options.http}`, '--token-file', files.token,
    '--events', join(clips, 'events.json'), '--cameras', files.cameras,
  ], { log: join(data, 'analytics.log') });
  watch(child);
}

async function main() {
  for (const name of ['sharpeyes', 'camera-sim', 'clip-draw']) {
    if (!existsSync(join(build, name))) throw new Refusal(`${shown(join(build, name))} is not there: run ./dev build`);
  }
  const taken = await probe(options.http);
  if (taken === 'EADDRINUSE') {
    throw new Refusal(`something listens on ${options.http} already. Another port: SE_HTTP=127.0.0.1:8090 ./dev run`);
  }
  if (taken) throw new Refusal(`cannot listen on ${options.http}: ${taken}`);
  mkdirSync(data, { recursive: true, mode: 0o700 });

  const clips = process.env.SE_DEMO_CLIPS ?? join(build, 'clips');
  if (!existsSync(join(clips, 'events.json'))) say('Drawing the clips of twelve simulated cameras (once, about a minute) …');
  if (!process.env.SE_DEMO_CLIPS) await drawClips(clips);
  const cameras = await startCameras(clips);
  const env = {
    SHARPEYES_GATEWAY_DATA_DIR: data,
    SHARPEYES_HTTP_LISTEN: options.http,
    SHARPEYES_RTSP_LISTEN: '127.0.0.1:0',
    SHARPEYES_INGEST_ALLOW: '127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7',
  };
  await startGateway(env);
  say('Loading the demo county …');
  await run('seed', join(build, 'sharpeyes'), ['seed', 'load', join(root, 'seeds'), '--var', `camera_base=${cameras}`, '--json'], env);
  await startAnalytics(clips);

  const users = join(data, 'demo-users');
  say(`
Sharp Eyes Gateway   http://${options.http}
  sign in as         admin, password in ${shown(join(data, 'initial-admin-password'))}`);
  if (existsSync(users) && statSync(users).size > 0) say(`  other demo users   in ${shown(users)}`);
  say(`  cameras            12 simulated ones at ${cameras}
  logs               ${shown(data)}/*.log
  everything is simulated; Ctrl-C ends it, and the next ./dev run goes on where it stopped
`);
  await failed;
}

let signals = 0;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(name, () => {
    if (++signals > 1) return; // it is ending already, and nothing is left running by force
    say('Ending …');
    stop.abort(null);
  });
}

let code = 0;
try {
  await main();
} catch (error) {
  if (error && stop.signal.reason !== null) {
    console.error(`demo: ${error instanceof Refusal ? error.message : error.stack}`);
    code = 1;
  }
}
if (!stop.signal.aborted) stop.abort(null);
await endAll();
process.exit(code);
