import { computed, ref, watchEffect } from 'vue';
import { en } from './en';
import { zhCN, type Dictionary } from './zh-CN';

export type Locale = 'zh-CN' | 'en';
const dictionaries: Record<Locale, Dictionary> = { 'zh-CN': zhCN, en };
/** Each language's name in itself. */
export const localeNames: Record<Locale, string> = { 'zh-CN': '中文', en: 'English' };

const KEY = 'sharpeyes.locale';

function initial(): Locale {
  const kept = localStorage.getItem(KEY);
  if (kept === 'zh-CN' || kept === 'en') return kept;
  return navigator.language.startsWith('zh') ? 'zh-CN' : 'en';
}

export const locale = ref<Locale>(initial());
/** The words of the language in use. */
export const m = computed<Dictionary>(() => dictionaries[locale.value]);

watchEffect(() => {
  localStorage.setItem(KEY, locale.value);
  document.documentElement.lang = locale.value;
  document.title = m.value.productFull;
});

/** A thing of the county's data in the language in use, where it has a name in it. */
export function nameOf(thing: { name: string; name_en?: string | null | undefined }): string {
  return locale.value === 'en' && thing.name_en ? thing.name_en : thing.name;
}
