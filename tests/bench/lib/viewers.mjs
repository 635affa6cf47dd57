// Crowds of viewers, and what the bare fan-out sends them beside the gateway.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { line, peer, stop } from './process.mjs';

export const FPS = 25; // of the load clip

/**
 * `count` HTTP viewers, of one path or of several in turn; what they saw comes from statistics(). options: {token,
 * page: they are pages of tiles, every_ms: they come one by one}
 */
export class HttpCrowd {
  static start(address, paths, count, { token, page, every_ms } = {}) {
    const crowd = new HttpCrowd();
    const more = [...(token ? ['--token', token] : []), ...(page ? ['--page'] : [])];
    if (every_ms) more.push('--every', String(every_ms));
    crowd.child = peer('watch-http', [...more, address, [paths].flat().join(','), String(count)], { stdio: ['pipe', 'pipe', 'inherit'] });
    return crowd;
  }

  get pid() {
    return this.child.pid;
  }

  /** The ids of the pages (--page), in which nothing is open yet. */
  async pages(ms = 20_000) {
    return (await line(this.child, ms)).pages.map((record) => record.live);
  }

  /** Waits until each has a whole frame: {ready, first_ms: {p50, p99, max}}. */
  ready(ms = 60_000) {
    return line(this.child, ms);
  }

  /** Since the last time. Fails when a viewer was sent nonsense, or left. */
  async statistics() {
    this.child.stdin.write('\n');
    const seen = await line(this.child);
    if (seen.bad || seen.ended) throw new Error(`of the viewers some ended or were sent nonsense: ${JSON.stringify(seen)}`);
    return seen;
  }

  stop() {
    return stop(this.child);
  }
}

/** `count` RTSP viewers of one path over TCP. */
export class RtspCrowd extends HttpCrowd {
  static start(address, path, count) {
    const crowd = new RtspCrowd();
    crowd.child = peer('watch-rtsp', [address, path, String(count)], { stdio: ['pipe', 'pipe', 'inherit'] });
    return crowd;
  }
}

/** The bare epoll and send fan-out of what one viewer of the gateway was sent. */
export class BareFanout {
  /** Records some seconds of a live path and offers them again, over and over. */
  static async start(address, path, token, seconds = 10) {
    const dir = mkdtempSync(join(tmpdir(), 'sharpeyes-bench-'));
    const file = join(dir, 'media');
    const recorder = peer('watch-http', ['--token', token, '--record', file, '--seconds', String(seconds), address, path, '1']);
    await line(recorder);
    await recorder.gone;
    const fanout = new BareFanout();
    fanout.child = peer('fanout-bare', [file, String(FPS)]);
    fanout.address = (await line(fanout.child)).listen;
    rmSync(dir, { recursive: true });
    return fanout;
  }

  get pid() {
    return this.child.pid;
  }

  stop() {
    return stop(this.child);
  }
}
