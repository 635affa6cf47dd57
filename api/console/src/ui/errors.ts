import { Problem } from '../api/problem';
import { m } from '../i18n';

/** What went wrong, in words for the person at the desk. */
export function inWords(cause: unknown): string {
  const w = m.value.errors;
  if (!(cause instanceof Problem)) return cause instanceof Error ? cause.message : String(cause);
  if (cause.status === 0) return w.network;
  if (cause.status === 403) return w.forbidden;
  if (cause.status === 404) return w.notFound;
  if (cause.status === 429 || cause.status === 503) return w.busy;
  if (cause.status >= 500) return w.server;
  const fields = (cause.body.errors ?? []).map((error) => `${error.field}: ${error.reason}`);
  return fields.length > 0 ? fields.join('; ') : cause.message;
}
