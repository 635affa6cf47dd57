import type { Case } from '../api/types';
import { m } from '../i18n';
import { formatSpan } from '../i18n/format';
import { now } from '../ui/now';

/** "2 hr left", "5 min overdue"; nothing for a case without a deadline. */
export function dueWords(one: Case): string {
  if (one.due_at === null || one.status !== 'open') return '';
  const left = Date.parse(one.due_at) - now.value;
  return left >= 0 ? m.value.cases.dueIn(formatSpan(left)) : m.value.cases.overdue(formatSpan(left));
}
