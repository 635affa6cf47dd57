// One tile's picture: appends what the live connection brings to a source buffer
// and keeps the video at the live edge. Works on the buffer's and the video's own
// events; there is no timer here.

/** How far behind the newest frame is too far: jump. */
const JUMP_BEHIND_S = 1.5;
/** Beyond this, play a little faster until back at the edge. */
const CATCH_UP_BEHIND_S = 0.7;
/** Where a jump lands, short of the edge: room for the network's jitter. */
const EDGE_S = 0.2;
/** Played pictures kept before they are dropped. */
const KEEP_S = 15;
const TRIM_S = 5;
/** What may wait for the source buffer; more means this browser can't keep up. */
const QUEUE_BYTES_MAX = 8 * 1024 * 1024;
const QUEUE_ITEMS_MAX = 600;

type Job = { kind: 'init'; mime: string; data: Uint8Array<ArrayBuffer> } | { kind: 'media'; data: Uint8Array<ArrayBuffer> };

export interface PlayerEvents {
  /** A frame is on the screen, the first since the last init. */
  shown(): void;
  /** Appending failed or fell behind: the tile must be opened anew. */
  failed(reason: string): void;
}

export class LivePlayer {
  private source: MediaSource | null = null;
  private url = '';
  private buffer: SourceBuffer | null = null;
  private queue: Job[] = [];
  private queued = 0;
  private mime = '';
  private frames = 0;
  private dead = false;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly events: PlayerEvents,
  ) {
    video.muted = true;
    video.addEventListener('waiting', this.follow);
    video.addEventListener('error', this.broken);
    document.addEventListener('visibilitychange', this.follow);
  }

  /** A new init segment: everything after it is another piece of film. */
  init(mime: string, data: Uint8Array<ArrayBuffer>): void {
    if (this.dead) return;
    this.queue = [];
    this.queued = 0;
    this.add({ kind: 'init', mime, data });
    if (this.source === null) this.attach();
    else this.work();
  }

  fragment(data: Uint8Array<ArrayBuffer>): void {
    if (this.dead || this.source === null) return;
    if (this.queued + data.length > QUEUE_BYTES_MAX || this.queue.length >= QUEUE_ITEMS_MAX) {
      this.fail('behind');
      return;
    }
    this.add({ kind: 'media', data });
    this.work();
  }

  /** Ends it and lets go of the video. */
  close(): void {
    this.dead = true;
    this.video.removeEventListener('waiting', this.follow);
    this.video.removeEventListener('error', this.broken);
    document.removeEventListener('visibilitychange', this.follow);
    this.queue = [];
    this.buffer = null;
    this.source = null;
    if (this.url !== '') URL.revokeObjectURL(this.url);
    this.video.removeAttribute('src');
    this.video.load();
  }

  private add(job: Job): void {
    this.queue.push(job);
    this.queued += job.data.length;
  }

  private fail(reason: string): void {
    if (this.dead) return;
    this.dead = true;
    this.events.failed(reason);
  }

  private readonly broken = (): void => this.fail(this.video.error?.message ?? 'decoder');

  private attach(): void {
    const source = new MediaSource();
    this.source = source;
    this.url = URL.createObjectURL(source);
    source.addEventListener('sourceopen', () => this.work(), { once: true });
    this.video.src = this.url;
  }

  private work(): void {
    const source = this.source;
    if (this.dead || source === null || source.readyState !== 'open' || this.buffer?.updating) return;
    try {
      if (this.trim()) return;
      const job = this.queue[0];
      if (job === undefined) return;
      if (job.kind === 'init') this.prepare(source, job.mime);
      if (this.buffer!.updating) return;
      this.buffer!.appendBuffer(this.take());
    } catch (cause) {
      if (cause instanceof DOMException && cause.name === 'QuotaExceededError') this.fail('full');
      else this.fail(cause instanceof Error ? cause.message : String(cause));
    }
  }

  /**
   * What is appended next: an init alone, or all fragments before the next one. An append costs far more than the
   * bytes in it, and a film begins with a whole GOP at once.
   */
  private take(): Uint8Array<ArrayBuffer> {
    let count = 1;
    if (this.queue[0]!.kind === 'media') {
      while (count < this.queue.length && this.queue[count]!.kind === 'media') count++;
    }
    const jobs = this.queue.splice(0, count);
    const size = jobs.reduce((sum, job) => sum + job.data.length, 0);
    this.queued -= size;
    if (jobs.length === 1) return jobs[0]!.data;
    const data = new Uint8Array(size);
    let at = 0;
    for (const job of jobs) {
      data.set(job.data, at);
      at += job.data.length;
    }
    return data;
  }

  /** Makes the buffer ready for an init: made, emptied of the film before, of the right type. */
  private prepare(source: MediaSource, mime: string): void {
    if (this.buffer === null) {
      this.buffer = source.addSourceBuffer(mime);
      this.buffer.addEventListener('updateend', () => {
        this.follow();
        this.work();
      });
      this.mime = mime;
      this.watchFrames();
      return;
    }
    if (this.buffer.buffered.length > 0) {
      this.buffer.abort();
      this.buffer.remove(0, Infinity);
      return;
    }
    if (mime !== this.mime) {
      this.buffer.changeType(mime);
      this.mime = mime;
    }
    this.watchFrames();
  }

  /** Tells when the next frame is on the screen. */
  watchFrames(): void {
    const round = ++this.frames;
    this.video.requestVideoFrameCallback(() => {
      if (!this.dead && round === this.frames) this.events.shown();
    });
  }

  /** Drops what was played long ago. True while the buffer is busy with it. */
  private trim(): boolean {
    const buffer = this.buffer;
    if (buffer === null || buffer.buffered.length === 0) return false;
    // Of a page that nobody sees only the end: coming back goes there.
    const hidden = document.visibilityState === 'hidden';
    const limit = (hidden ? buffer.buffered.end(buffer.buffered.length - 1) : this.video.currentTime) - KEEP_S;
    if (buffer.buffered.start(0) >= limit - TRIM_S) return false;
    buffer.remove(0, limit);
    return true;
  }

  /** Keeps to the live edge. */
  private readonly follow = (): void => {
    const ranges = this.buffer?.buffered;
    if (this.dead || ranges === undefined || ranges.length === 0) return;
    if (document.visibilityState === 'hidden') {
      // Nobody looks: nothing is decoded. Coming back jumps to the edge.
      this.video.pause();
      return;
    }
    const start = ranges.start(ranges.length - 1);
    const end = ranges.end(ranges.length - 1);
    const behind = end - this.video.currentTime;
    if (behind > JUMP_BEHIND_S || behind < -0.5 || this.video.currentTime < start) {
      this.video.currentTime = Math.max(start, end - EDGE_S);
      this.video.playbackRate = 1;
    } else if (behind > CATCH_UP_BEHIND_S) {
      this.video.playbackRate = 1.1;
    } else if (behind < EDGE_S * 1.5) {
      this.video.playbackRate = 1;
    }
    // Refused only while the page was never touched, and not for a muted video; the next append asks again.
    if (this.video.paused) this.video.play().catch(() => {});
  };
}
