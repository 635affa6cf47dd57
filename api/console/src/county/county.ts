// The county as the gateway has it: cameras and their states, grids, departments, tags.

import { computed, reactive, ref, shallowRef } from 'vue';
import { api } from '../api/client';
import type { Camera, CameraStatus, Department, Division, GridFeature, Incident, Tag, User } from '../api/types';
import { m, nameOf } from '../i18n';
import { may } from '../session/session';

export const cameras = reactive(new Map<string, Camera>());
export const grids = shallowRef<Map<string, GridFeature>>(new Map());
export const divisions = shallowRef<Map<string, Division>>(new Map());
export const departments = shallowRef<Map<string, Department>>(new Map());
export const tags = shallowRef<Map<string, Tag>>(new Map());
export const users = shallowRef<Map<string, User>>(new Map());
/** What has come so far: a panel shows its skeleton until then. */
export const loaded = reactive({ cameras: false, grids: false });
export const loadError = ref<unknown>(null);

export const cameraList = computed(() => [...cameras.values()]);

const byId = <T extends { id: string }>(items: T[]) => new Map(items.map((item) => [item.id, item]));
export const gridId = (grid: GridFeature): string => String(grid.properties.id ?? grid.id ?? grid.properties.code ?? '');

export async function loadCameras(): Promise<void> {
  const items = await api.cameras();
  const kept = new Set(items.map((item) => item.id));
  for (const id of cameras.keys()) if (!kept.has(id)) cameras.delete(id);
  for (const item of items) cameras.set(item.id, item);
  loaded.cameras = true;
}

async function loadGrids(): Promise<void> {
  const features = await api.grids();
  grids.value = new Map(features.map((grid) => [gridId(grid), grid]));
  loaded.grids = true;
}

/** Loads it all. Parts a role may not see stay empty; cameras failing is an error worth showing. */
export async function loadCounty(): Promise<void> {
  loadError.value = null;
  const parts = await Promise.allSettled([
    loadCameras(),
    loadGrids(),
    api.tags().then((items) => (tags.value = new Map(items.map((tag) => [tag.code, tag])))),
    api.divisions().then((items) => (divisions.value = byId(items))),
    api.departments().then((items) => (departments.value = byId(items))),
    may('user.read') ? api.users().then((items) => (users.value = byId(items))) : null,
  ]);
  loaded.grids = true;
  const failed = parts[0];
  if (failed.status === 'rejected') loadError.value = failed.reason;
}

/** A camera.* event: the camera, or its status. */
export function takeCamera(type: string, data: Partial<Camera & CameraStatus>): void {
  const id = data.camera_id ?? data.id;
  if (id === undefined) return;
  const camera = cameras.get(id);
  if (type === 'camera.deleted') cameras.delete(id);
  else if (camera !== undefined) {
    if (type !== 'camera.state') Object.assign(camera, data, { id });
    else Object.assign(camera, { state: data.state ?? camera.state, since: data.since ?? null });
  } else if (data.name !== undefined) cameras.set(id, { ...data, id } as Camera);
  else void loadCameras().catch(() => {});
}

/** A camera's name; of one that isn't ours to see, that. */
export function cameraName(id: string | null): string {
  if (id === null || !loaded.cameras) return '';
  return cameras.get(id)?.name ?? m.value.camera.unseen;
}

export function gridName(id: string | null): string {
  if (id === null) return '';
  const grid = grids.value.get(id);
  return grid === undefined ? id : nameOf({ name: grid.properties.name ?? id, name_en: grid.properties.name_en as string | null });
}

/** A tag's name; what the sender called it, where no dictionary knows it. */
export function tagOf(incident: Incident): string {
  return incident.tag_text && incident.tag === 'other' ? incident.tag_text : tagName(incident.tag);
}

export function tagName(code: string): string {
  const tag = tags.value.get(code);
  return tag === undefined ? code : nameOf(tag);
}

export function departmentName(id: string | null): string {
  if (id === null) return '';
  const department = departments.value.get(id);
  return department === undefined ? id : nameOf(department);
}

export function personName(id: string | null): string {
  if (id === null) return '';
  const person = users.value.get(id);
  return person?.display_name || person?.name || person?.username || id;
}
