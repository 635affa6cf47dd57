import type { Case } from '../api/types';
import { locale } from '../i18n';

/** A case's title; where it begins with its tag's Chinese name, in the language in use. */
export function titleOf(one: Case): string {
  const { title, tag_name: name, tag_name_en: english } = one;
  if (locale.value !== 'en' || !name || !english || !title.startsWith(name)) return title;
  return english + title.slice(name.length);
}
