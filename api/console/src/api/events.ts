import { readonly, ref } from 'vue';
import { Backoff } from './backoff';
import { request } from './client';
import { Problem } from './problem';

// Server-sent events over fetch: unlike EventSource it sees the status of a refusal,
// can be ended, and shares the client's error handling.

export interface GatewayEvent {
  type: string;
  data: unknown;
}
type Listener = (event: GatewayEvent) => void;

export type LinkState = 'connecting' | 'up' | 'down';
const state = ref<LinkState>('connecting');
export const linkState = readonly(state);

const listeners = new Set<Listener>();
export function onEvent(fn: Listener): () => void {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

/** No byte for this long: the connection is dead, whatever TCP thinks. */
const SILENCE_MS = 45_000;
/** An event's text may be this long; more is a broken stream. */
const EVENT_MAX = 4 * 1024 * 1024;

/** Cuts a text stream into events (HTML Living Standard, 9.2.6). */
export class EventParser {
  private rest = '';
  private type = '';
  private data: string[] = [];
  lastId = '';

  /** Feeds a piece, returns the events it completed. */
  push(piece: string): { type: string; data: string }[] {
    const events: { type: string; data: string }[] = [];
    this.rest += piece;
    if (this.rest.length > EVENT_MAX) throw new Error('event too long');
    const lines = this.rest.split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (this.data.length > 0) events.push({ type: this.type || 'message', data: this.data.join('\n') });
        this.type = '';
        this.data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') this.type = value;
      else if (field === 'data') this.data.push(value);
      else if (field === 'id' && !value.includes('\0')) this.lastId = value;
    }
    return events;
  }
}

function dispatch(type: string, text: string): void {
  let data: unknown = null;
  try {
    data = JSON.parse(text);
  } catch {
    // `reset` carries nothing worth reading.
  }
  for (const listener of listeners) listener({ type, data });
}

async function readOnce(lastId: string, signal: AbortSignal, whenUp: () => void): Promise<string> {
  const quit = new AbortController();
  const stop = () => quit.abort();
  signal.addEventListener('abort', stop);
  let watchdog = setTimeout(stop, SILENCE_MS);
  const parser = new EventParser();
  parser.lastId = lastId;
  try {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (lastId !== '') headers['Last-Event-ID'] = lastId;
    const response = await request('/api/v1/events', { headers, signal: quit.signal });
    whenUp();
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      clearTimeout(watchdog);
      watchdog = setTimeout(stop, SILENCE_MS);
      for (const event of parser.push(value)) dispatch(event.type, event.data);
    }
  } catch (cause) {
    if (cause instanceof Problem && (cause.status === 401 || cause.status === 403)) throw cause;
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener('abort', stop);
  }
  return parser.lastId;
}

/** Follows the gateway's events until aborted, resuming where it was cut. */
export async function followEvents(signal: AbortSignal): Promise<void> {
  const backoff = new Backoff(500, 15_000);
  let lastId = '';
  let everUp = false;
  while (!signal.aborted) {
    const before = lastId;
    try {
      lastId = await readOnce(lastId, signal, () => {
        state.value = 'up';
        backoff.reset();
        // Cut before the first event had an id to resume from: what happened in between is unknown.
        if (everUp && before === '') dispatch('reset', 'null');
        everUp = true;
      });
    } catch {
      state.value = 'down';
      return;
    }
    state.value = 'down';
    await backoff.wait(signal);
  }
}
