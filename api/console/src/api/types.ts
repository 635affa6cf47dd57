// What the gateway says, as api/openapi.yaml has it. Members this console doesn't use are left out.

export type CameraState = 'connecting' | 'live' | 'stalled' | 'offline' | 'idle' | 'disabled';
/** A tile may also be refused, or hold what this browser can't play. */
export type TileState = CameraState | 'denied' | 'unsupported';
export type StreamRole = 'main' | 'sub';

export interface Location {
  lat: number;
  lon: number;
}

export type Transport = 'auto' | 'tcp' | 'udp';
export type Engine = 'auto' | 'ffmpeg';
export type RecordMode = 'continuous' | 'on_demand' | 'off';

export interface CameraStream {
  role: StreamRole;
  /** With *** for a password in it; sent back so, the stored one stays. */
  url: string;
  username: string | null;
  transport: Transport;
  engine: Engine;
  tls_fingerprint: string | null;
  has_password: boolean;
}

export interface Camera {
  id: string;
  code?: string | null;
  name: string;
  department_id: string;
  grid_id?: string | null;
  location?: Location | null;
  enabled: boolean;
  state: CameraState;
  since?: string | null;
  streams?: CameraStream[];
  record?: { mode: RecordMode; retention_days: number };
}

export interface CameraInput {
  name?: string;
  code?: string | null;
  department_id?: string;
  grid_id?: string | null;
  location?: Location | null;
  enabled?: boolean;
  record?: { mode: RecordMode; retention_days: number };
  streams?: StreamInput[];
}

export interface StreamInput {
  role: StreamRole;
  url?: string;
  username?: string | null;
  password?: string | null;
  transport?: Transport;
  engine?: Engine;
  tls_fingerprint?: string | null;
}

export interface StreamStatus {
  role: StreamRole;
  state: CameraState;
  since: string | null;
  codec: string | null;
  width: number | null;
  height: number | null;
  fps: number;
  bitrate_bps: number;
  packets_lost: number;
  packets_late?: number;
  jitter_ms?: number;
  reconnects: number;
  transport?: string | null;
  audio?: string | null;
  /** What the gateway decided about the stream, in words. */
  note?: string | null;
  last_error: string | null;
}

/** What is known of a camera that is tried without being stored. */
export interface StreamTest {
  ok: boolean;
  codec: string | null;
  width: number | null;
  height: number | null;
  fps: number | null;
  audio: string | null;
  transport: string | null;
  reason: string | null;
  took_ms: number;
}

export interface CameraImport {
  id: string;
  state: 'running' | 'done' | 'failed' | 'cancelled';
  dry_run: boolean;
  rows: number;
  done: number;
  created: number;
  updated: number;
  unchanged: number;
  failed: number;
  reason?: string | null;
  /** Headings that mean nothing to the gateway. */
  ignored_columns?: string[];
  started_at: string;
  ended_at: string | null;
}

export type ImportResult = 'created' | 'updated' | 'unchanged' | 'failed';
export interface ImportRow {
  line: number;
  code: string | null;
  name: string | null;
  result: ImportResult;
  errors: { field: string; reason: string }[];
}

export interface StreamPassword {
  id: string;
  name: string;
  created_at: string;
  last_used_at?: string | null;
}
/** The one answer that has the password. */
export interface NewStreamPassword extends StreamPassword {
  username: string;
  password: string;
}

export interface Ticket {
  ticket: string;
  expires_at: string;
}

/** The data of camera.state: a camera's status, with its id. */
export interface CameraStatus {
  id?: string;
  camera_id?: string;
  state: CameraState;
  since?: string | null;
  last_frame_at?: string | null;
  streams?: StreamStatus[];
}

export type Severity = 'info' | 'minor' | 'major' | 'critical';
export type IncidentStatus = 'new' | 'acknowledged' | 'in_progress' | 'resolved' | 'closed' | 'false_alarm';

export interface Incident {
  id: string;
  tag: string;
  severity: Severity;
  status: IncidentStatus;
  camera_id: string | null;
  location: Location | null;
  grid_id: string | null;
  department_id: string | null;
  first_at: string;
  last_at: string;
  count: number;
  case_id: string | null;
  message?: string | null;
  /** What an unknown type called itself; the tag is then `other`. */
  tag_text?: string | null;
}

export interface Signal {
  id: string;
  source: string;
  type: string;
  occurred_at: string;
  message?: string | null;
}

export type LoopStage = 'collect' | 'assess' | 'assign' | 'handle' | 'close' | 'evaluate';
export type Light = 'green' | 'yellow' | 'red';

/** What a case kind says of one of its fields; min and max bound a number's value or a text's bytes. */
export interface CaseField {
  type: 'integer' | 'text';
  label: string;
  min?: number;
  max?: number;
}

export interface CaseAction {
  name: string;
  label: string;
  to: string;
  required_fields: string[];
  needs_assignee: boolean;
  takes_assignee?: boolean;
  fields?: Record<string, CaseField>;
}

export interface Case {
  id: string;
  number: string;
  kind: string;
  stage: string;
  loop: LoopStage;
  status: 'open' | 'suspended' | 'closed';
  title: string;
  incident_id: string | null;
  grid_id: string | null;
  department_id: string | null;
  department_name?: string | null;
  assignee: string | null;
  assignee_name?: string | null;
  due_at: string | null;
  yellow_at?: string | null;
  light: Light;
  actions: CaseAction[];
  kind_label?: string;
  stage_label?: string;
  tag_name?: string | null;
  tag_name_en?: string | null;
  supervised?: boolean;
}

export interface Transition {
  id: string;
  at: string;
  user_id: string | null;
  user_name?: string | null;
  action: string;
  from: string | null;
  to: string | null;
  note: string | null;
  fields?: Record<string, unknown> | null;
}

export interface TransitionRequest {
  action: string;
  note?: string;
  assignee?: string;
  fields?: Record<string, string | number>;
}

/** Evidence of an incident: pictures and clips, by where they can be had. */
export interface Evidence {
  id: string;
  kind: 'snapshot' | 'image' | 'recording';
  state?: 'pending' | 'ready' | 'failed';
  camera_id: string | null;
  from?: string | null;
  to?: string | null;
  at?: string | null;
  url?: string | null;
}

export interface Tag {
  code: string;
  name: string;
  name_en?: string | null;
  /** The dictionary's class it belongs to. */
  class?: string | null;
  class_name?: string | null;
  colour?: string | null;
  severity?: Severity | null;
}

export interface Division {
  id: string;
  code: string;
  name: string;
  level?: string;
  parent_id?: string | null;
}

export interface Department {
  id: string;
  code: string;
  name: string;
  kind: string;
}

export interface User {
  id: string;
  username: string;
  display_name?: string | null;
  name?: string | null;
  department_id?: string | null;
  roles?: string[];
  permissions?: string[];
  must_change_password?: boolean;
}

export interface SessionAnswer {
  token: string;
  expires_at: string;
  user: User;
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface GridFeature {
  type: 'Feature';
  id?: string;
  geometry: GeoJSON.Polygon | GeoJSON.MultiPolygon | null;
  properties: {
    id?: string;
    code?: string;
    name?: string;
    division_id?: string | null;
    department_id?: string | null;
    [member: string]: unknown;
  };
}

export interface GridCollection {
  type: 'FeatureCollection';
  features: GridFeature[];
  next_cursor?: string | null;
}
