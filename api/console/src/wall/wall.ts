// Which camera stands in which tile. Slots cover all pages; a layout is a window on them.

import { computed, reactive, watch } from 'vue';
import { cameras } from '../county/county';

export type Layout = 1 | 4 | 9 | 16 | 25 | 36 | 64;
export const layouts: Layout[] = [1, 4, 9, 16, 25, 36, 64];

const KEY = 'sharpeyes.wall';

interface Kept {
  layout: Layout;
  slots: (string | null)[];
}

function kept(): Kept {
  try {
    const value = JSON.parse(localStorage.getItem(KEY) ?? '') as Partial<Kept>;
    const layout = layouts.find((one) => one === value.layout) ?? 9;
    const slots = Array.isArray(value.slots) ? value.slots.map((slot) => (typeof slot === 'string' ? slot : null)) : [];
    return { layout, slots };
  } catch {
    return { layout: 9, slots: [] };
  }
}

export const wall = reactive({ ...kept(), page: 0 });

export const pages = computed(() => Math.max(1, Math.ceil(wall.slots.length / wall.layout)));
export const shownSlots = computed(() => {
  const from = wall.page * wall.layout;
  return Array.from({ length: wall.layout }, (_, i) => ({ index: from + i, camera: wall.slots[from + i] ?? null }));
});

function keep(): void {
  localStorage.setItem(KEY, JSON.stringify({ layout: wall.layout, slots: wall.slots }));
}

/** Cameras that came get the next free tile, those that went leave theirs. */
export function settle(): void {
  const slots = wall.slots.map((camera) => (camera !== null && cameras.has(camera) ? camera : null));
  const placed = new Set(slots);
  for (const id of cameras.keys()) {
    if (placed.has(id)) continue;
    const free = slots.indexOf(null);
    if (free < 0) slots.push(id);
    else slots[free] = id;
  }
  while (slots.length > 0 && slots[slots.length - 1] === null) slots.pop();
  wall.slots = slots;
  turn(0);
  keep();
}
watch(() => [...cameras.keys()].join(), settle);

export function setLayout(layout: Layout): void {
  const first = wall.page * wall.layout;
  wall.layout = layout;
  wall.page = Math.min(Math.floor(first / layout), pages.value - 1);
  keep();
}

export function turn(by: number): void {
  wall.page = Math.min(Math.max(0, wall.page + by), pages.value - 1);
}

/** Puts a camera in a slot; the one that stood there takes its old place. */
export function place(camera: string, index: number): void {
  const slots = [...wall.slots];
  while (slots.length <= index) slots.push(null);
  const before = slots.indexOf(camera);
  if (before >= 0) slots[before] = slots[index] ?? null;
  slots[index] = camera;
  wall.slots = slots;
  keep();
}
