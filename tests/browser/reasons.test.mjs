// What the console translates of the gateway's reasons is what the gateway says.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** All text literals of the C sources below a folder, those of several pieces put together. */
function literals(folder) {
  let all = '';
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) all += literals(path);
    else if (/\.[ch]$/.test(entry.name)) all += readFileSync(join(root, path), 'utf8').replace(/"\s*\n\s*"/g, '');
  }
  return all;
}

test('each translated reason stands in the sources', () => {
  const source = readFileSync(join(root, 'api/console/src/i18n/reasons.ts'), 'utf8');
  const table = source.slice(source.indexOf('const chinese'), source.indexOf('\n];'));
  const english = [...table.matchAll(/\[\s*'((?:[^'\\]|\\.)*)',/g)].map((match) => match[1].replaceAll("\\'", "'"));
  assert.ok(english.length >= 25, `${english.length} were found`);
  const known = literals('ingest') + literals('gateway');
  assert.deepEqual(english.filter((reason) => !known.includes(`${reason}"`)), []);
});
