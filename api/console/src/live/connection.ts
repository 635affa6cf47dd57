// The page's one live connection: every tile's pictures arrive on it, and what it
// carries is changed beside it with POST /api/v1/live/{id}.

import { Backoff } from '../api/backoff';
import { api, request, type LiveChange } from '../api/client';
import { Problem } from '../api/problem';
import type { TileState } from '../api/types';
import { RecordKind, RecordParser, type LiveRecord } from './records';

export interface TileReport {
  state: TileState;
  since: string | null;
  mime: string;
  reason: string;
}

export interface TileSink {
  report(report: TileReport): void;
  init(mime: string, data: Uint8Array<ArrayBuffer>): void;
  fragment(data: Uint8Array<ArrayBuffer>): void;
}

export type LiveStream = 'auto' | 'main' | 'sub';

interface Tile {
  camera: string;
  stream: LiveStream;
  sink: TileSink;
  mime: string;
  /** The live connection knows of it. */
  open: boolean;
}

/** As many tiles as a page may have at the gateway. */
const TILES_MAX = 64;
/** A keep-alive comes at least every 5 s. */
const SILENCE_MS = 12_000;

const CODECS: Record<string, string> = {
  avc1: 'video/mp4; codecs="avc1.640028"',
  hvc1: 'video/mp4; codecs="hvc1.1.6.L123.B0"',
};

/** The video codecs this browser plays from a source buffer. */
export function acceptedCodecs(): string[] {
  return Object.keys(CODECS).filter((codec) => MediaSource.isTypeSupported(CODECS[codec]!));
}

const DENIED: TileReport = { state: 'denied', since: null, mime: '', reason: '' };
const LOST: TileReport = { state: 'connecting', since: null, mime: '', reason: 'gateway' };

class LiveConnection {
  private readonly tiles = new Map<number, Tile>();
  /** Tiles that have no number yet: those before them are still being closed. */
  private readonly waiting = new Set<Tile>();
  private readonly closing = new Set<number>();
  private nextTile = 0;
  private id = '';
  private running: AbortController | null = null;
  private flushing = false;
  private dirty = false;
  /** This person may watch nothing at all. */
  private denied = false;

  /** Shows a camera in a tile of its own until the returned function is called. */
  open(camera: string, stream: LiveStream, sink: TileSink): () => void {
    const tile: Tile = { camera, stream, sink, mime: '', open: false };
    this.waiting.add(tile);
    if (this.denied) sink.report(DENIED);
    if (this.running === null) void this.run((this.running = new AbortController()).signal);
    this.change();
    return () => {
      if (this.waiting.delete(tile)) return;
      for (const [number, other] of this.tiles) {
        if (other !== tile) continue;
        this.tiles.delete(number);
        if (tile.open) this.closing.add(number);
        this.change();
      }
    };
  }

  /** Ends everything: signed out. */
  stop(): void {
    this.running?.abort();
    this.running = null;
    this.id = '';
    this.denied = false;
    this.tiles.clear();
    this.waiting.clear();
    this.closing.clear();
  }

  /** Gives waiting tiles the numbers that are free. They go round, so that a late record of a closed tile meets nobody. */
  private admit(): void {
    for (let i = 0; i < TILES_MAX && this.waiting.size > 0; i++) {
      const number = this.nextTile;
      this.nextTile = (number + 1) % TILES_MAX;
      if (this.tiles.has(number) || this.closing.has(number)) continue;
      const [tile] = this.waiting;
      this.waiting.delete(tile!);
      this.tiles.set(number, tile!);
    }
  }

  private change(): void {
    this.dirty = true;
    if (this.flushing || this.id === '') return;
    this.flushing = true;
    // After the microtasks: a change of layout is one request, not one per tile.
    queueMicrotask(() => void this.flush());
  }

  private async flush(): Promise<void> {
    try {
      while (this.dirty && this.id !== '') {
        this.dirty = false;
        const id = this.id;
        this.admit();
        const change: LiveChange = {};
        const close = [...this.closing];
        const open = [...this.tiles].filter(([, tile]) => !tile.open);
        if (close.length === 0 && open.length === 0) continue;
        if (close.length > 0) change.close = close;
        if (open.length > 0) {
          change.open = open.map(([number, tile]) => ({ tile: number, camera: tile.camera, stream: tile.stream }));
          change.accepts = acceptedCodecs();
          for (const [, tile] of open) tile.open = true;
        }
        await api.changeLive(id, change);
        for (const number of close) this.closing.delete(number);
        if (close.length > 0 && this.waiting.size > 0) this.dirty = true;
      }
    } catch (cause) {
      // The connection went, or was never ours: begin again with a new one.
      if (!(cause instanceof Problem && cause.status === 401)) this.reconnect();
    } finally {
      this.flushing = false;
    }
  }

  private restart: AbortController | null = null;
  private reconnect(): void {
    this.restart?.abort();
  }

  private async run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(400, 8_000);
    while (!signal.aborted) {
      const restart = (this.restart = new AbortController());
      const stop = () => restart.abort();
      signal.addEventListener('abort', stop);
      try {
        await this.read(restart, () => backoff.reset());
      } catch (cause) {
        this.denied = cause instanceof Problem && cause.status === 403;
        if (this.denied || (cause instanceof Problem && cause.status === 401)) return;
      } finally {
        signal.removeEventListener('abort', stop);
        restart.abort();
        // Stopped, there is nothing left to forget, and the next connection may be under way.
        if (!signal.aborted) this.forget();
      }
      await backoff.wait(signal);
    }
  }

  /** No connection: no tile is open, and none shows an old picture as live. */
  private forget(): void {
    this.id = '';
    this.closing.clear();
    for (const tile of [...this.tiles.values(), ...this.waiting]) {
      tile.open = false;
      tile.sink.report(this.denied ? DENIED : { ...LOST, since: new Date().toISOString() });
    }
  }

  private async read(quit: AbortController, whenUp: () => void): Promise<void> {
    let watchdog = setTimeout(() => quit.abort(), SILENCE_MS);
    try {
      const response = await request('/api/v1/live', { signal: quit.signal });
      const reader = response.body!.getReader();
      const parser = new RecordParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => quit.abort(), SILENCE_MS);
        for (const record of parser.push(value)) this.take(record, whenUp);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  private take(record: LiveRecord, whenUp: () => void): void {
    if (record.kind === RecordKind.Json) {
      this.takeJson(JSON.parse(new TextDecoder().decode(record.payload)) as Record<string, unknown>, whenUp);
      return;
    }
    const tile = this.tiles.get(record.tile);
    if (tile === undefined) return;
    if (record.kind === RecordKind.Init) tile.sink.init(tile.mime, record.payload);
    else if (record.kind === RecordKind.Fragment) tile.sink.fragment(record.payload);
  }

  private takeJson(message: Record<string, unknown>, whenUp: () => void): void {
    if (typeof message.live === 'string') {
      this.id = message.live;
      whenUp();
      this.change();
      return;
    }
    const tile = typeof message.tile === 'number' ? this.tiles.get(message.tile) : undefined;
    if (tile === undefined || typeof message.state !== 'string') return;
    if (typeof message.mime === 'string') tile.mime = message.mime;
    tile.sink.report({
      state: message.state as TileState,
      since: typeof message.since === 'string' ? message.since : null,
      mime: tile.mime,
      reason: typeof message.reason === 'string' ? message.reason : '',
    });
  }
}

export const live = new LiveConnection();
