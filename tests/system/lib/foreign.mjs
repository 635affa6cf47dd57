// Cameras and servers that we did not write, for tests: ffmpeg that listens or writes HLS, a web server for what it
// wrote, VLC's RTSP output. All on loopback, ended by process id.
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, createReadStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';

/** A port that was free a moment ago. */
export function freePort() {
  return new Promise((done, reject) => {
    const server = createTcpServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** A program that runs until stop(); its words in log. */
export class Program {
  constructor(command, args, options = {}) {
    this.log = '';
    this.process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    this.exited = new Promise((done) => {
      this.process.once('exit', (code, signal) => done((this.exit = { code, signal })));
      this.process.once('error', (error) => done((this.exit = { error })));
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.log = (this.log + text).slice(-100_000)));
    }
  }

  async stop() {
    if (this.exit) return;
    this.process.kill('SIGTERM');
    const late = setTimeout(() => this.process.kill('SIGKILL'), 3000);
    await this.exited;
    clearTimeout(late);
  }
}

const quiet = ['-hide_banner', '-nostdin', '-loglevel', 'warning'];

/** ffmpeg that sends a clip in its own time, again and again, to `output`. */
export function ffmpegSends(clip, ...output) {
  return new Program('ffmpeg', [...quiet, '-re', '-stream_loop', '-1', '-i', clip, ...output]);
}

/** ffmpeg that sends to whoever calls, and listens anew when that one has gone. */
export class ListeningFfmpeg {
  constructor(clip, ...output) {
    this.clip = clip;
    this.output = output;
    this.start();
  }

  start() {
    this.wanted = true;
    this.program = ffmpegSends(this.clip, ...this.output);
    this.program.exited.then(() => {
      if (this.wanted) setTimeout(() => this.wanted && this.start(), 100);
    });
  }

  async stop() {
    this.wanted = false;
    await this.program.stop();
  }
}

const types = { '.m3u8': 'application/vnd.apple.mpegurl', '.ts': 'video/mp2t', '.mp4': 'video/mp4', '.m4s': 'video/mp4' };

/**
 * A web server for a folder, with ranges. handlers: {'/path': (request, response) => …} go before files. `asked`
 * lists what came: {url, headers}. tls: {key, cert}, for https.
 */
export class WebServer {
  static async start(dir = undefined, handlers = {}, { host = '127.0.0.1', port = 0, tls } = {}) {
    const web = new WebServer();
    web.asked = [];
    const answer = (request, response) => {
      const path = request.url.split('?')[0];
      web.asked.push({ url: request.url, headers: request.headers });
      if (handlers[path]) return handlers[path](request, response);
      return web.file(dir, path, request, response);
    };
    web.server = tls ? createTlsServer(tls, answer) : createServer(answer);
    await new Promise((done, reject) => web.server.once('error', reject).listen(port, host, done));
    web.port = web.server.address().port;
    web.url = `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${web.port}`;
    return web;
  }

  file(dir, path, request, response) {
    const file = dir && join(dir, normalize(path));
    let size;
    try {
      size = statSync(file).size;
    } catch {
      return response.writeHead(404).end();
    }
    const type = types[file.slice(file.lastIndexOf('.'))] ?? 'application/octet-stream';
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    if (!range) {
      response.writeHead(200, { 'content-type': type, 'content-length': size, 'accept-ranges': 'bytes' });
      return createReadStream(file).on('error', () => response.destroy()).pipe(response);
    }
    const start = Number(range[1]);
    const end = range[2] ? Math.min(Number(range[2]), size - 1) : size - 1;
    if (start > end) return response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
    response.writeHead(206, {
      'content-type': type,
      'content-length': end - start + 1,
      'content-range': `bytes ${start}-${end}/${size}`,
    });
    return createReadStream(file, { start, end }).on('error', () => response.destroy()).pipe(response);
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((done) => this.server.close(done));
  }
}

/** Live HLS of a clip in a folder of its own, and a web server for it. */
export class Hls {
  static async start(clip, options = {}) {
    const hls = new Hls();
    hls.dir = mkdtempSync(join(tmpdir(), 'hls-'));
    hls.program = ffmpegSends(
      clip, '-c', 'copy', '-f', 'hls', '-hls_time', '1', '-hls_list_size', '5',
      '-hls_flags', 'delete_segments+temp_file', ...(options.args ?? []), join(hls.dir, 'live.m3u8'),
    );
    hls.web = await WebServer.start(hls.dir, options.handlers);
    hls.url = `${hls.web.url}/live.m3u8`;
    return hls;
  }

  ready() {
    try {
      return readFileSync(join(this.dir, 'live.m3u8'), 'utf8').includes('#EXTINF');
    } catch {
      return false;
    }
  }

  async stop() {
    await this.program.stop();
    await this.web.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** VLC as an RTSP camera (over UDP: it sends no other way) that plays a clip again and again. */
export class VlcCamera {
  constructor(clip, port) {
    this.port = port;
    this.url = `rtsp://127.0.0.1:${port}/x`;
    // VLC will not run as root; what it runs as instead must be able to read the clip.
    this.dir = mkdtempSync(join(tmpdir(), 'vlc-'));
    chmodSync(this.dir, 0o777);
    this.clip = join(this.dir, 'clip.mp4');
    copyFileSync(clip, this.clip);
    chmodSync(this.clip, 0o644);
    this.start();
  }

  start() {
    const vlc = [
      'vlc', '-I', 'dummy', '--no-media-library', '--aout', 'dummy', '--loop', this.clip,
      '--sout', `#rtp{sdp=${this.url}}`, '--sout-keep',
    ];
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const [command, ...args] = process.getuid() === 0 ? [...nobody, ...vlc] : vlc;
    this.program = new Program(command, args, { env: { ...process.env, HOME: this.dir } });
  }

  async stop() {
    await this.program.stop();
  }

  clean() {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
