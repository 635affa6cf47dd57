// Cuts the body of GET /api/v1/live into its records: 1 byte kind, 1 byte tile,
// 2 bytes zero, 4 bytes big-endian length, payload.

export const enum RecordKind {
  Json = 0,
  Init = 1,
  Fragment = 2,
  KeepAlive = 3,
}

export interface LiveRecord {
  kind: number;
  tile: number;
  payload: Uint8Array<ArrayBuffer>;
}

const HEAD = 8;
/** The gateway cuts an access unit at 16 MiB; with its boxes a record stays below this. */
const PAYLOAD_MAX = 17 * 1024 * 1024;

export class RecordParser {
  private pieces: Uint8Array[] = [];
  private held = 0;

  /** Feeds a piece and yields the records it completed. Throws when the stream can't be one of ours. */
  *push(piece: Uint8Array): Generator<LiveRecord> {
    this.pieces.push(piece);
    this.held += piece.length;
    while (this.held >= HEAD) {
      const head = this.peek(HEAD);
      const view = new DataView(head.buffer, head.byteOffset, HEAD);
      const length = view.getUint32(4);
      if (view.getUint16(2) !== 0 || length > PAYLOAD_MAX) throw new Error('not a live stream');
      if (this.held < HEAD + length) return;
      this.take(HEAD);
      yield { kind: view.getUint8(0), tile: view.getUint8(1), payload: this.take(length) };
    }
  }

  /** The next n bytes, left where they are. */
  private peek(n: number): Uint8Array {
    const first = this.pieces[0]!;
    if (first.length >= n) return first.subarray(0, n);
    const bytes = this.take(n);
    this.pieces.unshift(bytes);
    this.held += n;
    return bytes;
  }

  /** The next n bytes, as a copy of their own. */
  private take(n: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(n);
    let at = 0;
    while (at < n) {
      const piece = this.pieces[0]!;
      const part = Math.min(n - at, piece.length);
      bytes.set(piece.subarray(0, part), at);
      at += part;
      if (part === piece.length) this.pieces.shift();
      else this.pieces[0] = piece.subarray(part);
    }
    this.held -= n;
    return bytes;
  }
}
