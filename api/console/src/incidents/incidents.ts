// The incidents this desk knows, newest first, and what of them the queue shows.

import { computed, reactive, ref, watch } from 'vue';
import { api } from '../api/client';
import { Problem } from '../api/problem';
import type { Incident, IncidentStatus, Severity } from '../api/types';

export const incidents = reactive(new Map<string, Incident>());
export const incidentsLoaded = ref(false);
export const incidentsError = ref<unknown>(null);
export const nextCursor = ref<string | null>(null);
/** Arrived while somebody was looking: the queue lets them shine for a moment. */
export const fresh = reactive(new Set<string>());

export type StatusFilter = 'open' | 'all' | IncidentStatus;
export const filters = reactive({
  status: 'open' as StatusFilter,
  severity: null as Severity | null,
  tag: null as string | null,
  grid: null as string | null,
});

/** More are not kept; the list is a queue, not an archive. */
const KEPT_MAX = 1000;
const PAGE = 200;

export const isOpen = (incident: Incident): boolean =>
  incident.status === 'new' || incident.status === 'acknowledged' || incident.status === 'in_progress';

/** By when it began: a row stays where it is while its incident goes on. */
const byNewest = (a: Incident, b: Incident): number => Date.parse(b.first_at) - Date.parse(a.first_at);

export const openIncidents = computed(() => [...incidents.values()].filter(isOpen).sort(byNewest));

export const queue = computed(() =>
  [...incidents.values()]
    .filter(
      (one) =>
        (filters.status === 'all' || (filters.status === 'open' ? isOpen(one) : one.status === filters.status)) &&
        (filters.severity === null || one.severity === filters.severity) &&
        (filters.tag === null || one.tag === filters.tag) &&
        (filters.grid === null || one.grid_id === filters.grid),
    )
    .sort(byNewest),
);

export const filtered = computed(
  () => filters.status !== 'open' || filters.severity !== null || filters.tag !== null || filters.grid !== null,
);
export function clearFilters(): void {
  Object.assign(filters, { status: 'open', severity: null, tag: null, grid: null });
}

const openStatuses: IncidentStatus[] = ['new', 'acknowledged', 'in_progress'];

/** What is open, however old, and the newest of the rest. */
export async function loadIncidents(): Promise<void> {
  incidentsError.value = null;
  try {
    const [newest, ...open] = await Promise.all([
      api.incidents({ limit: PAGE }),
      ...openStatuses.map((status) => api.incidents({ limit: PAGE, status })),
    ]);
    incidents.clear();
    for (const page of [newest, ...open]) for (const one of page.items) incidents.set(one.id, one);
    nextCursor.value = newest.next_cursor;
    incidentsLoaded.value = true;
  } catch (cause) {
    incidentsError.value = cause;
  }
}

// What is asked for may be older than what is here.
watch(filters, async ({ status, severity, tag, grid }) => {
  if (!filtered.value) return;
  try {
    const query = { severity, tag, grid_id: grid, status: status === 'open' || status === 'all' ? null : status };
    const page = await api.incidents({ limit: PAGE, ...query });
    for (const one of page.items) if (!incidents.has(one.id)) incidents.set(one.id, one);
  } catch {
    // What is here is shown; the connection's state tells the rest.
  }
});

export async function loadOlder(): Promise<void> {
  if (nextCursor.value === null) return;
  const page = await api.incidents({ limit: PAGE, cursor: nextCursor.value });
  for (const one of page.items) if (!incidents.has(one.id)) incidents.set(one.id, one);
  nextCursor.value = incidents.size < KEPT_MAX ? page.next_cursor : null;
}

export function takeIncident(incident: Incident, isNew: boolean): void {
  incidents.set(incident.id, incident);
  if (isNew) {
    fresh.add(incident.id);
    setTimeout(() => fresh.delete(incident.id), 4000);
  }
  if (incidents.size <= KEPT_MAX) return;
  const oldest = [...incidents.values()].filter((one) => !isOpen(one)).sort(byNewest).pop();
  if (oldest !== undefined) incidents.delete(oldest.id);
}

/** One incident, asked for when it isn't here. Null: it is gone. */
export async function wantIncident(id: string): Promise<Incident | null> {
  const here = incidents.get(id);
  if (here !== undefined) return here;
  try {
    const incident = await api.incident(id);
    takeIncident(incident, false);
    return incident;
  } catch (cause) {
    if (cause instanceof Problem && cause.status === 404) return null;
    throw cause;
  }
}
