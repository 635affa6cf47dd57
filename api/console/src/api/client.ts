import { locale } from '../i18n';
import { Problem } from './problem';
import type {
  Camera,
  CameraImport,
  CameraInput,
  CameraStatus,
  Case,
  Department,
  Evidence,
  GridCollection,
  GridFeature,
  Division,
  ImportResult,
  ImportRow,
  Incident,
  NewStreamPassword,
  Page,
  SessionAnswer,
  Severity,
  Signal,
  StreamInput,
  StreamPassword,
  StreamTest,
  Tag,
  Ticket,
  Transition,
  TransitionRequest,
  User,
} from './types';

type Query = Record<string, string | number | boolean | null | undefined>;

/** Called when the gateway no longer knows us. */
let whenSignedOut: () => void = () => {};
export function onSignedOut(fn: () => void): void {
  whenSignedOut = fn;
}

export function withQuery(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** fetch() with the session's cookie. Resolves only for 2xx; everything else is a Problem. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...init });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new Problem(0, {});
  }
  if (response.ok) return response;
  const problem = await Problem.from(response);
  if (problem.status === 401) whenSignedOut();
  throw problem;
}

async function getJson<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  const response = await request(withQuery(path, query), signal ? { signal } : {});
  return (await response.json()) as T;
}

async function sendJson<T>(method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
  const response = await request(path, {
    method,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

const segment = encodeURIComponent;
/** For the names of stages, actions and fields, which come with their case. */
const lang = (): string => (locale.value === 'en' ? 'en' : 'zh');
/** Lists here are a county's: bounded, and read whole up to this many pages. */
const PAGES_MAX = 20;

async function getAll<T>(path: string, query: Query = {}): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer: Page<T> = await getJson<Page<T>>(path, { limit: 1000, ...query, cursor });
    items.push(...answer.items);
    cursor = answer.next_cursor;
    if (cursor === null) break;
  }
  return items;
}

async function getGrids(): Promise<GridFeature[]> {
  const features: GridFeature[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer: GridCollection = await getJson<GridCollection>('/api/v1/grids', { limit: 1000, cursor });
    features.push(...answer.features);
    cursor = answer.next_cursor ?? null;
    if (cursor === null) break;
  }
  return features;
}

export const api = {
  signIn: (username: string, password: string) =>
    sendJson<SessionAnswer>('POST', '/api/v1/sessions', { username, password }, { 'X-Sharpeyes-Cookie': '1' }),
  currentSession: () => getJson<{ user: User; rtsp_port?: number }>('/api/v1/sessions/current'),
  signOut: () => request('/api/v1/sessions/current', { method: 'DELETE' }),
  setPassword: (user: string, current: string, password: string) =>
    sendJson<void>('POST', `/api/v1/users/${segment(user)}/password`, { current_password: current, password }),

  streamPasswords: () => getAll<StreamPassword>('/api/v1/stream-passwords'),
  makeStreamPassword: (name: string) => sendJson<NewStreamPassword>('POST', '/api/v1/stream-passwords', { name }),
  revokeStreamPassword: (id: string) => request(`/api/v1/stream-passwords/${segment(id)}`, { method: 'DELETE' }),

  cameras: () => getAll<Camera>('/api/v1/cameras'),
  camera: (id: string) => getJson<Camera>(`/api/v1/cameras/${segment(id)}`),
  cameraStatus: (id: string, signal?: AbortSignal) =>
    getJson<CameraStatus>(`/api/v1/cameras/${segment(id)}/status`, {}, signal),
  addCamera: (camera: CameraInput, key: string) =>
    sendJson<Camera>('POST', '/api/v1/cameras', camera, { 'Idempotency-Key': key }),
  changeCamera: (id: string, camera: CameraInput) =>
    sendJson<Camera>('PATCH', `/api/v1/cameras/${segment(id)}`, camera),
  deleteCamera: (id: string) => request(`/api/v1/cameras/${segment(id)}`, { method: 'DELETE' }),
  testStream: (what: Partial<StreamInput> & { camera?: string }) =>
    sendJson<StreamTest>('POST', '/api/v1/cameras/test', what),
  ticket: (camera: string) => sendJson<Ticket>('POST', '/api/v1/tickets', { camera, action: 'live' }),

  importCameras: async (file: Blob, query: ImportQuery): Promise<CameraImport> => {
    const path = withQuery('/api/v1/camera-imports', { ...query, dry_run: query.dry_run ? 1 : null });
    const response = await request(path, { method: 'POST', headers: { 'Content-Type': 'text/csv' }, body: file });
    return (await response.json()) as CameraImport;
  },
  cameraImport: (id: string) => getJson<CameraImport>(`/api/v1/camera-imports/${segment(id)}`),
  importRows: (id: string, result: ImportResult | null, cursor: string | null, limit = 100) =>
    getJson<Page<ImportRow>>(`/api/v1/camera-imports/${segment(id)}/rows`, { result, cursor, limit }),
  cancelImport: (id: string) => request(`/api/v1/camera-imports/${segment(id)}`, { method: 'DELETE' }),

  divisions: () => getAll<Division>('/api/v1/divisions'),
  grids: getGrids,
  departments: () => getAll<Department>('/api/v1/departments'),
  tags: () => getAll<Tag>('/api/v1/tags'),
  users: () => getAll<User>('/api/v1/users'),

  incidents: (query: Query = {}) => getJson<Page<Incident>>('/api/v1/incidents', query),
  incident: (id: string) => getJson<Incident>(`/api/v1/incidents/${segment(id)}`),
  changeIncident: (id: string, change: Partial<Pick<Incident, 'status' | 'severity'>>) =>
    sendJson<Incident>('PATCH', `/api/v1/incidents/${segment(id)}`, change),
  incidentSignals: (id: string) => getJson<Page<Signal>>(`/api/v1/incidents/${segment(id)}/signals`, { limit: 20 }),
  evidence: (id: string) => getJson<Page<Evidence>>(`/api/v1/incidents/${segment(id)}/evidence`),
  openCase: (id: string) => sendJson<Case>('POST', `/api/v1/incidents/${segment(id)}/case`, {}),

  report: (signal: { type: string; camera: string; severity?: Severity; message?: string }) =>
    sendJson<{ items: { signal_id: string; incident_id: string | null }[] }>(
      'POST',
      '/api/v1/signals',
      { source: 'console', occurred_at: new Date().toISOString(), ...signal },
      { 'Idempotency-Key': crypto.randomUUID() },
    ),

  cases: (query: Query = {}) => getJson<Page<Case>>('/api/v1/cases', { ...query, lang: lang() }),
  case: (id: string) => getJson<Case>(`/api/v1/cases/${segment(id)}`, { lang: lang() }),
  transitions: (id: string) => getAll<Transition>(`/api/v1/cases/${segment(id)}/transitions`),
  takeAction: (id: string, body: TransitionRequest, key: string) =>
    sendJson<Case | Transition>('POST', `/api/v1/cases/${segment(id)}/transitions`, body, { 'Idempotency-Key': key }),

  changeLive: (id: string, change: LiveChange) => sendJson<unknown>('POST', `/api/v1/live/${segment(id)}`, change),

  snapshotUrl: (camera: string) => withQuery(`/api/v1/cameras/${segment(camera)}/snapshot.jpg`, { stale: 1 }),
  playbackUrl: (camera: string, from: string, to: string) =>
    withQuery(`/api/v1/cameras/${segment(camera)}/playback.mp4`, { from, to }),
};

export interface ImportQuery {
  dry_run: boolean;
  crs: 'wgs84' | 'gcj02';
  encoding: 'auto' | 'utf-8' | 'gb18030';
  department_id: string | null;
}

export interface LiveChange {
  open?: { tile: number; camera: string; stream: 'auto' | 'main' | 'sub' }[];
  close?: number[];
  accepts?: string[];
}
