// A camera as the form has it, and what of it is sent.
import type { Camera, CameraInput, CameraStream, Engine, RecordMode, StreamInput, StreamRole, Transport } from '../api/types';

export interface StreamDraft {
  role: StreamRole;
  url: string;
  username: string;
  /** '' leaves the stored one. */
  password: string;
  clearPassword: boolean;
  transport: Transport;
  engine: Engine;
  fingerprint: string;
  /** As it is stored; null: it is new. */
  stored: CameraStream | null;
}

export interface CameraDraft {
  name: string;
  code: string;
  department: string | null;
  grid: string | null;
  lat: number | null;
  lon: number | null;
  enabled: boolean;
  mode: RecordMode;
  days: number;
  main: StreamDraft;
  sub: StreamDraft;
  hasSub: boolean;
}

function streamDraft(role: StreamRole, stored: CameraStream | null): StreamDraft {
  return {
    role,
    url: stored?.url ?? '',
    username: stored?.username ?? '',
    password: '',
    clearPassword: false,
    transport: stored?.transport ?? 'auto',
    engine: stored?.engine ?? 'auto',
    fingerprint: stored?.tls_fingerprint ?? '',
    stored,
  };
}

export function draftOf(camera: Camera | null, department: string | null): CameraDraft {
  const stream = (role: StreamRole) => camera?.streams?.find((one) => one.role === role) ?? null;
  return {
    name: camera?.name ?? '',
    code: camera?.code ?? '',
    department: camera?.department_id ?? department,
    grid: camera?.grid_id ?? null,
    lat: camera?.location?.lat ?? null,
    lon: camera?.location?.lon ?? null,
    enabled: camera?.enabled ?? true,
    mode: camera?.record?.mode ?? 'continuous',
    days: camera?.record?.retention_days ?? 30,
    main: streamDraft('main', stream('main')),
    sub: streamDraft('sub', stream('sub')),
    hasSub: stream('sub') !== null,
  };
}

/** Host and port of an address, without user info. */
const placeOf = (url: string): string => (/^[a-z]+:\/\/(?:[^/?#]*@)?([^/?#]*)/i.exec(url.trim())?.[1] ?? '').toLowerCase();

/** The stored password stays with the host and port it was given for: elsewhere it must be entered again. */
export const losesPassword = (draft: StreamDraft): boolean =>
  draft.stored?.has_password === true &&
  draft.password === '' &&
  !draft.clearPassword &&
  placeOf(draft.url) !== placeOf(draft.stored.url);

/** What a connection is made by. */
export function connectionOf(draft: StreamDraft): Omit<StreamInput, 'role'> {
  const input: Omit<StreamInput, 'role'> = { url: draft.url.trim(), transport: draft.transport, engine: draft.engine };
  const username = draft.username.trim();
  if (username !== (draft.stored?.username ?? '')) input.username = username === '' ? null : username;
  if (draft.password !== '') {
    // A user name within the address is as good.
    if (username !== '') input.username = username;
    input.password = draft.password;
  } else if (draft.clearPassword) input.password = null;
  input.tls_fingerprint = draft.fingerprint.trim() === '' ? null : draft.fingerprint.trim();
  return input;
}

const streamInput = (draft: StreamDraft): StreamInput => ({ role: draft.role, ...connectionOf(draft) });

export function inputOf(draft: CameraDraft, stored: Camera | null): CameraInput {
  const input: CameraInput = {
    name: draft.name.trim(),
    enabled: draft.enabled,
    record: { mode: draft.mode, retention_days: draft.days },
    streams: draft.hasSub ? [streamInput(draft.main), streamInput(draft.sub)] : [streamInput(draft.main)],
  };
  const location = draft.lat === null || draft.lon === null ? null : { lat: draft.lat, lon: draft.lon };
  if (location !== null || stored?.location) input.location = location;
  if (draft.department !== null) input.department_id = draft.department;
  if (draft.grid !== (stored?.grid_id ?? null)) input.grid_id = draft.grid;
  const code = draft.code.trim();
  if (code !== (stored?.code ?? '')) input.code = code === '' ? null : code;
  return input;
}
