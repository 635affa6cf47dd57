import { computed } from 'vue';
import type { Tag } from '../api/types';
import { tags } from '../county/county';
import { nameOf } from '../i18n';

/** The dictionary for a picker: tags under their class, or flat where there is but one. */
export const tagOptions = computed(() => {
  const classes = new Map<string, { label: string; tags: Tag[] }>();
  for (const tag of tags.value.values()) {
    const key = tag.class ?? '';
    const here = classes.get(key);
    if (here === undefined) classes.set(key, { label: tag.class_name ?? key, tags: [tag] });
    else here.tags.push(tag);
  }
  const option = (tag: Tag) => ({ label: nameOf(tag), value: tag.code });
  if (classes.size <= 1) return [...tags.value.values()].map(option);
  return [...classes].map(([key, { label, tags: below }]) => ({
    type: 'group' as const,
    key,
    label,
    children: below.map(option),
  }));
});
