// The cases this desk knows.

import { computed, reactive, ref } from 'vue';
import { api } from '../api/client';
import { Problem } from '../api/problem';
import type { Case, Light, Transition } from '../api/types';
import { now } from '../ui/now';

export const cases = reactive(new Map<string, Case>());
export const casesLoaded = ref(false);
export const casesError = ref<unknown>(null);
/** Transitions of the cases that were opened here. */
export const transitions = reactive(new Map<string, Transition[]>());

const KEPT_MAX = 1000;
const lightRank = { red: 0, yellow: 1, green: 2 } as const;

/** The light now: it changes with the clock, and nobody sends an event for that. */
export function lightOf(one: Case): Light {
  if (one.status !== 'open' || one.due_at === null) return one.light;
  if (now.value >= Date.parse(one.due_at)) return 'red';
  if (one.yellow_at && now.value >= Date.parse(one.yellow_at)) return 'yellow';
  return one.light;
}
const dueOf = (one: Case): number => (one.due_at === null ? Infinity : Date.parse(one.due_at));

/** The most pressing first. */
export const openCases = computed(() =>
  [...cases.values()]
    .filter((one) => one.status !== 'closed')
    .sort((a, b) => lightRank[lightOf(a)] - lightRank[lightOf(b)] || dueOf(a) - dueOf(b) || b.number.localeCompare(a.number)),
);
export const closedCases = computed(() =>
  [...cases.values()].filter((one) => one.status === 'closed').sort((a, b) => b.number.localeCompare(a.number)),
);

export async function loadCases(): Promise<void> {
  casesError.value = null;
  try {
    const pages = await Promise.all([
      api.cases({ limit: 500, status: 'open' }),
      api.cases({ limit: 100, status: 'suspended' }),
      api.cases({ limit: 100, status: 'closed' }),
    ]);
    cases.clear();
    for (const page of pages) for (const one of page.items) cases.set(one.id, one);
    casesLoaded.value = true;
  } catch (cause) {
    casesError.value = cause;
  }
}

/** A case as the gateway gave it to us. */
export function takeCase(one: Case): void {
  cases.set(one.id, one);
  if (cases.size > KEPT_MAX) {
    const oldest = closedCases.value.at(-1);
    if (oldest !== undefined) cases.delete(oldest.id);
  }
}

/** A case as an event has it: what may be done with it depends on who asks, so that isn't known. */
export function takeCaseEvent(one: Case): void {
  takeCase({ ...one, actions: cases.get(one.id)?.actions ?? [] });
}

/** The case as the gateway has it now, with its transitions. Null: it is gone. */
export async function refreshCase(id: string): Promise<Case | null> {
  try {
    const [one, steps] = await Promise.all([api.case(id), api.transitions(id)]);
    takeCase(one);
    transitions.set(
      id,
      steps.sort((a, b) => Date.parse(a.at) - Date.parse(b.at) || a.id.localeCompare(b.id)),
    );
    return one;
  } catch (cause) {
    if (cause instanceof Problem && cause.status === 404) return null;
    throw cause;
  }
}
