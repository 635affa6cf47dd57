// A gateway of one's own for a test: started on a fresh data directory and a free port, signed in as its first
// administrator, and ended by its process id. Everything stays on loopback and has a time limit.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

/** The program under test: SHARPEYES says which, else the newest kind of build that is there. */
export function program() {
  const tried = [process.env.SHARPEYES, 'build-asan/sharpeyes', 'build/sharpeyes', 'build-debug/sharpeyes'];
  for (const path of tried.filter(Boolean)) {
    const full = resolve(root, path);
    if (existsSync(full)) return full;
  }
  throw new Error('build the gateway first: ./dev build');
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Asks `probe` until it gives something true; its value. Fails after `ms` with `what`. */
export async function until(probe, ms, what) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      throw new Error(`not within ${ms} ms: ${what}${last ? ` (${last.message})` : ''}`);
    }
    await sleep(50);
  }
}

/**
 * What comes of a response's body, until it ends or `signal` is aborted. Node 18 forgets a request's signal now and
 * then, and would leave the connection open; this closes it.
 */
export async function* chunksOf(response, signal) {
  const reader = response.body.getReader();
  const cancel = () => reader.cancel().catch(() => {});
  signal.addEventListener('abort', cancel, { once: true });
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    signal.removeEventListener('abort', cancel);
    await cancel();
  }
}

export class Gateway {
  /**
   * Starts one and waits until it is ready.
   * options: {set: {'section.key': value}, dataDir, keep: leave the data directory, ready: false not to wait}
   */
  static async start(options = {}) {
    const gateway = new Gateway();
    gateway.keep = Boolean(options.dataDir || options.keep);
    gateway.dir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'sharpeyes-test-'));
    gateway.set = {
      'gateway.data_dir': gateway.dir,
      'http.listen': '127.0.0.1:0',
      'rtsp.listen': '127.0.0.1:0',
      'ingest.allow': '127.0.0.0/8',
      ...options.set,
    };
    gateway.spawn();
    try {
      if (options.ready !== false) await gateway.ready();
      if (options.signIn !== false && options.ready !== false) await gateway.signIn();
    } catch (error) {
      await gateway.kill();
      throw new Error(`${error.message}\n--- the gateway said:\n${gateway.log}`);
    }
    return gateway;
  }

  spawn() {
    const args = ['serve'];
    for (const [key, value] of Object.entries(this.set)) args.push('--set', `${key}=${value}`);
    this.log = '';
    this.logLines = 0;
    rmSync(join(this.dir, 'http.addr'), { force: true });
    this.process = spawn(program(), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.exited = new Promise((done) => {
      this.process.once('exit', (code, signal) => {
        this.exit = { code, signal };
        done(this.exit);
      });
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        this.log = (this.log + text).slice(-1_000_000);
        this.logLines += text.split('\n').length - 1;
      });
    }
  }

  async ready(ms = 30_000) {
    await until(
      async () => {
        if (this.exit) throw new Error(`it ended with ${JSON.stringify(this.exit)}`);
        const file = join(this.dir, 'http.addr');
        if (!existsSync(file)) return false;
        this.address = readFileSync(file, 'utf8').trim();
        this.url = `http://${this.address}`;
        return (await fetch(`${this.url}/readyz`)).status === 200;
      },
      ms,
      'GET /readyz is 200',
    );
  }

  adminPassword() {
    return readFileSync(join(this.dir, 'initial-admin-password'), 'utf8').trim();
  }

  /** Signs in and keeps the token for later requests; the answer. */
  async signIn(username = 'admin', password = undefined) {
    const answer = await this.request('POST', '/api/v1/sessions', {
      json: { username, password: password ?? this.adminPassword() },
      token: null,
    });
    if (answer.status !== 201) throw new Error(`sign-in: ${answer.status} ${answer.text}`);
    this.token = answer.json.token;
    return answer.json;
  }

  /** A sign-in beside the kept one: the token of another user. */
  async tokenOf(username, password) {
    const answer = await this.request('POST', '/api/v1/sessions', { json: { username, password }, token: null });
    if (answer.status !== 201) throw new Error(`sign-in of ${username}: ${answer.status} ${answer.text}`);
    return answer.json.token;
  }

  /** One fetch(), with the kept token unless `token` says another or null. The raw Response. */
  fetch(path, { method = 'GET', token = this.token, headers = {}, body, json, signal, timeout = 20_000 } = {}) {
    const all = { ...headers };
    if (token) all.authorization = `Bearer ${token}`;
    if (json !== undefined) {
      body = JSON.stringify(json);
      all['content-type'] ??= 'application/json';
    }
    return fetch(new URL(path, this.url), {
      method,
      headers: all,
      body,
      redirect: 'manual',
      signal: signal ?? AbortSignal.timeout(timeout),
    });
  }

  /** The same, read whole: {status, headers, text, json}. */
  async request(method, path, options = {}) {
    const response = await this.fetch(path, { method, ...options });
    const text = await response.text();
    let json;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, headers: response.headers, text, json };
  }

  get(path, options) {
    return this.request('GET', path, options);
  }
  post(path, json, options) {
    return this.request('POST', path, { json, ...options });
  }
  patch(path, json, options) {
    return this.request('PATCH', path, { json, ...options });
  }
  delete(path, options) {
    return this.request('DELETE', path, options);
  }

  /** The value of a metric, its labels as written ('name{cause="x"}'); 0 when it is not there. */
  async metric(name) {
    const { text } = await this.get('/metrics');
    const line = text.split('\n').find((l) => l.startsWith(`${name} `));
    return line ? Number(line.slice(name.length + 1)) : 0;
  }

  /** SIGTERM, and the exit: {code, signal}. Fails when it takes longer than the contract's 10 s. */
  async stop() {
    if (!this.exit) {
      this.process.kill('SIGTERM');
      const late = new Promise((done) => setTimeout(done, 10_000, 'late').unref());
      if ((await Promise.race([this.exited, late])) === 'late') {
        await this.kill();
        throw new Error(`did not end within 10 s of SIGTERM\n${this.log}`);
      }
    }
    if (this.exit.code !== 0) {
      throw new Error(`ended with ${JSON.stringify(this.exit)}\n--- the gateway said:\n${this.log}`);
    }
    this.clean();
    return this.exit;
  }

  /** SIGKILL. The data directory stays, so that the test can start again on it. */
  async kill() {
    if (!this.exit) {
      this.process.kill('SIGKILL');
      await this.exited;
    }
  }

  /** Starts again on the same data directory. */
  async restart() {
    this.exit = undefined;
    this.spawn();
    await this.ready();
  }

  clean() {
    if (!this.keep) rmSync(this.dir, { recursive: true, force: true });
  }
}
