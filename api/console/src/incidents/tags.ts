import { computed } from 'vue';
import { tags } from '../county/county';
import { nameOf } from '../i18n';
import type { Tag } from '../api/types';

const parentOf = (tag: Tag): string | null => tag.parent ?? tag.parent_code ?? null;

/** The dictionary for a picker: sub-classes under their class, or flat where it has none. */
export const tagOptions = computed(() => {
  const all = [...tags.value.values()];
  const children = new Map<string, Tag[]>();
  for (const tag of all) {
    const parent = parentOf(tag);
    if (parent !== null && tags.value.has(parent)) children.set(parent, [...(children.get(parent) ?? []), tag]);
  }
  const option = (tag: Tag) => ({ label: nameOf(tag), value: tag.code });
  return all
    .filter((tag) => !tags.value.has(parentOf(tag) ?? ''))
    .map((tag) => {
      const below = children.get(tag.code);
      return below === undefined
        ? option(tag)
        : { type: 'group' as const, key: tag.code, label: nameOf(tag), children: below.map(option) };
    });
});
