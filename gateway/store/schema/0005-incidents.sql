-- Signals as they came, the incidents they were correlated into, and what proves them.
-- Times are INTEGER milliseconds since 1970, UTC. Camera, user and department ids carry
-- no foreign key: what happened outlives whoever it happened to.

CREATE TABLE incident (
    id            TEXT PRIMARY KEY,           -- UUIDv7: sorts by the time it was made
    tag           TEXT NOT NULL REFERENCES tag (code),
    tag_text      TEXT,                       -- what an unknown type said
    severity      TEXT NOT NULL CHECK (severity IN ('info', 'minor', 'major', 'critical')),
    status        TEXT NOT NULL CHECK (status IN ('new', 'acknowledged', 'in_progress', 'resolved',
                                                  'closed', 'false_alarm')),
    source        TEXT NOT NULL,              -- of the first signal
    message       TEXT,                       -- of the newest signal that had one
    camera_id     TEXT,
    lat           REAL CHECK (lat BETWEEN -90 AND 90),
    lon           REAL CHECK (lon BETWEEN -180 AND 180),
    grid_id       TEXT REFERENCES grid (id),
    grid_version  INTEGER,
    grid_distance_m REAL,                     -- 0 within the grid; else how far the nearest one is
    division_id   TEXT REFERENCES division (id),
    department_id TEXT,
    first_at      INTEGER NOT NULL,
    last_at       INTEGER NOT NULL,
    count         INTEGER NOT NULL CHECK (count >= 0),
    join_key      TEXT,                       -- same key and near in time: same incident. NULL: by place
    join_extra    TEXT NOT NULL DEFAULT '',   -- the sender's own key, compared when joining by place
    case_id       TEXT UNIQUE,
    reported_by   TEXT,                       -- user, for a person's report
    version       INTEGER NOT NULL DEFAULT 1,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    CHECK ((lat IS NULL) = (lon IS NULL)),
    CHECK (last_at >= first_at)
);
-- Correlation looks only at what is still open.
CREATE INDEX incident_join ON incident (join_key, last_at)
    WHERE status IN ('new', 'acknowledged', 'in_progress') AND join_key IS NOT NULL;
CREATE INDEX incident_join_place ON incident (tag, last_at)
    WHERE status IN ('new', 'acknowledged', 'in_progress') AND join_key IS NULL;
CREATE INDEX incident_status ON incident (status, id);
CREATE INDEX incident_tag ON incident (tag, id);
CREATE INDEX incident_grid ON incident (grid_id, id);
CREATE INDEX incident_camera ON incident (camera_id, id);
CREATE INDEX incident_department ON incident (department_id, id);
CREATE INDEX incident_last ON incident (last_at);

-- Raw observations: cheap, many, never edited.
CREATE TABLE signal (
    id            TEXT PRIMARY KEY,
    incident_id   TEXT NOT NULL REFERENCES incident (id),
    source        TEXT NOT NULL,
    type          TEXT NOT NULL,              -- as it was given
    tag           TEXT NOT NULL,
    severity      TEXT NOT NULL,
    occurred_at   INTEGER NOT NULL,
    received_at   INTEGER NOT NULL,
    camera_id     TEXT,
    lat           REAL,
    lon           REAL,
    message       TEXT,
    key           TEXT,
    boxes         TEXT,                       -- JSON array
    user_id       TEXT                        -- who handed it in
) WITHOUT ROWID;
CREATE INDEX signal_incident ON signal (incident_id, id);
CREATE TRIGGER signal_no_update BEFORE UPDATE ON signal
BEGIN SELECT RAISE(ABORT, 'signal is append-only'); END;
CREATE TRIGGER signal_no_delete BEFORE DELETE ON signal
BEGIN SELECT RAISE(ABORT, 'signal is append-only'); END;

-- Who changed an incident's status, and why.
CREATE TABLE incident_change (
    id            TEXT PRIMARY KEY,
    incident_id   TEXT NOT NULL REFERENCES incident (id),
    at            INTEGER NOT NULL,
    user_id       TEXT,                       -- NULL: the gateway itself
    from_status   TEXT,
    to_status     TEXT NOT NULL,
    reason        TEXT
) WITHOUT ROWID;
CREATE INDEX incident_change_incident ON incident_change (incident_id, id);
CREATE TRIGGER incident_change_no_update BEFORE UPDATE ON incident_change
BEGIN SELECT RAISE(ABORT, 'incident_change is append-only'); END;
CREATE TRIGGER incident_change_no_delete BEFORE DELETE ON incident_change
BEGIN SELECT RAISE(ABORT, 'incident_change is append-only'); END;

-- What proves an incident: a snapshot, the image of a signal, a recorded range.
-- A range is one row while the incident goes on: its end moves with last_at.
CREATE TABLE evidence (
    id            TEXT PRIMARY KEY,
    incident_id   TEXT NOT NULL REFERENCES incident (id),
    kind          TEXT NOT NULL CHECK (kind IN ('snapshot', 'image', 'recording')),
    state         TEXT NOT NULL CHECK (state IN ('pending', 'ready', 'failed')),
    camera_id     TEXT,
    signal_id     TEXT,
    at            INTEGER NOT NULL,           -- when the picture was taken
    from_ms       INTEGER,
    to_ms         INTEGER,
    media_type    TEXT,
    file          TEXT,                       -- name below DATA_DIR/evidence
    bytes         INTEGER,
    sha256        TEXT,
    reason        TEXT,                       -- why it failed
    created_at    INTEGER NOT NULL,
    CHECK (kind <> 'recording' OR (camera_id IS NOT NULL AND from_ms < to_ms))
) WITHOUT ROWID;
CREATE INDEX evidence_incident ON evidence (incident_id, id);
CREATE INDEX evidence_pending ON evidence (state, id) WHERE state = 'pending';
CREATE INDEX evidence_range ON evidence (camera_id, from_ms) WHERE kind = 'recording';
