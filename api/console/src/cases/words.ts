import type { CaseAction } from '../api/types';
import { locale, m } from '../i18n';

/** An action's name: the case kind's own label in Chinese, ours where we have it in another language. */
export function actionName(action: Pick<CaseAction, 'name'> & { label?: string }): string {
  const ours = (m.value.cases.actions as Record<string, string>)[action.name];
  if (locale.value === 'zh-CN') return action.label || ours || action.name;
  return ours || action.label || action.name;
}

export function fieldName(name: string, label?: string): string {
  const ours = (m.value.cases.fields as Record<string, string>)[name];
  if (locale.value === 'zh-CN') return label || ours || name;
  return ours || label || name;
}
