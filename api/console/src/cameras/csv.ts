// As much of CSV (RFC 4180) as is needed to give back the rows of a file that failed.

export interface CsvRecord {
  /** The line of the file it begins at, from 1. */
  line: number;
  /** As it stands in the file, without its line end. */
  text: string;
}

/** Cuts a text into its records: a line end within quotes belongs to its field. */
export function csvRecords(text: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let line = 1;
  let begin = 0;
  let first = 1;
  let quoted = false;
  const end = (at: number): void => {
    const record = text.slice(begin, at).replace(/\r$/, '');
    if (record.trim() !== '') records.push({ line: first, text: record });
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') quoted = !quoted;
    if (c !== '\n') continue;
    line += 1;
    if (quoted) continue;
    end(i);
    begin = i + 1;
    first = line;
  }
  end(text.length);
  return records;
}

/** A field, quoted where it must be, and never one that a spreadsheet would take for a formula. */
export function csvField(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** What separates the fields of this heading. */
function separatorOf(heading: string): string {
  const counts = [',', ';', '\t'].map((one) => [one, heading.split(one).length] as const);
  return counts.reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}

/** The file's heading and those of its records that begin at one of the lines, with what was wrong with each. */
export function failedCsv(text: string, reasons: Map<number, string>, column: string): string {
  const [heading, ...records] = csvRecords(text.replace(/^\uFEFF/, ''));
  if (heading === undefined) return '';
  const separator = separatorOf(heading.text);
  const lines = [`${heading.text}${separator}${column}`];
  for (const { line, text: record } of records) {
    const reason = reasons.get(line);
    if (reason !== undefined) lines.push(`${record}${separator}${csvField(reason)}`);
  }
  // The mark tells spreadsheets that it is UTF-8.
  return `\uFEFF${lines.join('\r\n')}\r\n`;
}

/** Reads a file of which nobody said how it is encoded: UTF-8 where it is that, else what Chinese spreadsheets write. */
export async function decodeCsv(file: Blob, encoding: 'auto' | 'utf-8' | 'gb18030'): Promise<string> {
  const bytes = await file.arrayBuffer();
  if (encoding !== 'auto') return new TextDecoder(encoding).decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('gb18030').decode(bytes);
  }
}
