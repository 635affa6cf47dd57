// What the operator has open. One module, so that map, wall, queue and case panel
// can point at each other without knowing each other.

import { reactive } from 'vue';

export type PhoneTab = 'map' | 'wall' | 'incidents' | 'cases';

export const desk = reactive({
  /** The incident and case the case panel shows; either may be there alone. */
  incident: null as string | null,
  case: null as string | null,
  /** The camera shown large instead of the wall. */
  focus: null as string | null,
  /** The wall takes the map's and the queue's place. */
  wide: false,
  grid: null as string | null,
  tab: 'incidents' as PhoneTab,
  help: false,
  /** The dialog for a new password. */
  password: false,
});

export function showIncident(id: string, caseId: string | null): void {
  desk.incident = id;
  desk.case = caseId;
  desk.tab = 'cases';
}

export function showCase(id: string, incidentId: string | null): void {
  desk.case = id;
  desk.incident = incidentId;
  desk.tab = 'cases';
}

export function watchCamera(id: string): void {
  desk.focus = id;
  desk.tab = 'wall';
}

/** Closes the topmost thing that is open. */
export function closeTop(): void {
  if (desk.help) desk.help = false;
  else if (desk.password) desk.password = false;
  else if (desk.focus !== null) desk.focus = null;
  else if (desk.incident !== null || desk.case !== null) {
    desk.incident = null;
    desk.case = null;
  } else if (desk.wide) desk.wide = false;
  else desk.grid = null;
}
