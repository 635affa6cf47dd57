// What the operator has open. One module, so that map, wall, queue and case panel
// can point at each other without knowing each other.

import { reactive } from 'vue';

export type PhoneTab = 'map' | 'wall' | 'cameras' | 'incidents' | 'cases';
export type CameraTab = 'status' | 'addresses' | 'settings';
export type AccountTab = 'streams' | 'password';

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
  /** The dialog of one's own account, at one of its pages. */
  account: null as AccountTab | null,
  /** The dialog of one camera, or of one that is to be added. */
  camera: null as string | null,
  cameraTab: 'status' as CameraTab,
  adding: false,
  importing: false,
});

export function showCamera(id: string, tab: CameraTab = 'status'): void {
  desk.camera = id;
  desk.cameraTab = tab;
}

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
  else if (desk.account !== null) desk.account = null;
  else if (desk.camera !== null) desk.camera = null;
  else if (desk.adding) desk.adding = false;
  else if (desk.importing) desk.importing = false;
  else if (desk.focus !== null) desk.focus = null;
  else if (desk.incident !== null || desk.case !== null) {
    desk.incident = null;
    desk.case = null;
  } else if (desk.wide) desk.wide = false;
  else desk.grid = null;
}
