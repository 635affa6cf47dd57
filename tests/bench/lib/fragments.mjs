// Counts what is in fragmented MP4 files, by their boxes (ISO/IEC 14496-12), without decoding.
import { closeSync, openSync, readSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** All files under a directory that end in .mp4. */
export function filesUnder(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return filesUnder(path);
    return entry.name.endsWith('.mp4') ? [path] : [];
  });
}

function* boxes(bytes, from, to) {
  for (let at = from; at + 8 <= to; ) {
    const size = bytes.readUInt32BE(at);
    if (size < 8 || at + size > to) return;
    yield { type: bytes.toString('latin1', at + 4, at + 8), from: at + 8, to: at + size };
    at += size;
  }
}

/** Samples of the first track in a moof, and the decoding time of its first. */
function samplesOf(moof) {
  let samples = 0;
  for (const traf of boxes(moof, 8, moof.length)) {
    if (traf.type !== 'traf') continue;
    let track = 0;
    for (const box of boxes(moof, traf.from, traf.to)) {
      if (box.type === 'tfhd') track = moof.readUInt32BE(box.from + 4);
      if (box.type === 'trun' && track === 1) samples += moof.readUInt32BE(box.from + 4);
    }
  }
  return samples;
}

/** {samples, fragments, bytes} of one file. A fragment that is cut off at the end is not counted. */
export function countFile(path) {
  const size = statSync(path).size;
  const fd = openSync(path, 'r');
  const count = { samples: 0, fragments: 0, bytes: size };
  const head = Buffer.alloc(16);
  let pending = 0;
  try {
    for (let at = 0; at + 8 <= size; ) {
      readSync(fd, head, 0, 16, at);
      const length = head.readUInt32BE(0);
      const type = head.toString('latin1', 4, 8);
      if (length < 8 || at + length > size) break;
      if (type === 'moof') {
        const moof = Buffer.alloc(length);
        readSync(fd, moof, 0, length, at);
        pending = samplesOf(moof);
      } else if (type === 'mdat') {
        count.samples += pending;
        count.fragments += pending > 0 ? 1 : 0;
        pending = 0;
      }
      at += length;
    }
  } finally {
    closeSync(fd);
  }
  return count;
}

/** The sums over all files under a directory, and how many they are. */
export function countTree(dir) {
  const sum = { files: 0, samples: 0, fragments: 0, bytes: 0 };
  for (const path of filesUnder(dir)) {
    const one = countFile(path);
    sum.files++;
    for (const key of Object.keys(one)) sum[key] += one[key];
  }
  return sum;
}
