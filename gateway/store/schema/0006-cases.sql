-- Cases and their way through the closed loop.
-- Times are INTEGER milliseconds since 1970, UTC.

-- CASE is a word of SQL's, hence cases.
CREATE TABLE cases (
    id            TEXT PRIMARY KEY,
    number        TEXT NOT NULL UNIQUE,       -- XA-20261122-0001
    kind          TEXT NOT NULL,
    kind_version  INTEGER NOT NULL,
    stage         TEXT NOT NULL,              -- a stage's code in that version of the kind
    loop          TEXT NOT NULL CHECK (loop IN ('collect', 'assess', 'assign', 'handle', 'close', 'evaluate')),
    status        TEXT NOT NULL CHECK (status IN ('open', 'suspended', 'closed')),
    title         TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 256),
    description   TEXT,
    severity      TEXT NOT NULL CHECK (severity IN ('info', 'minor', 'major', 'critical')),
    tag           TEXT REFERENCES tag (code),
    incident_id   TEXT UNIQUE REFERENCES incident (id), -- one case per incident, whoever is first
    grid_id       TEXT REFERENCES grid (id),
    grid_version  INTEGER,
    division_id   TEXT REFERENCES division (id),
    department_id TEXT,                       -- who handles it
    assignee      TEXT,                       -- user
    rule_id       TEXT,
    opened_by     TEXT,                       -- NULL: a rule
    opened_at     INTEGER NOT NULL,
    stage_at      INTEGER NOT NULL,           -- when it came into its stage
    stage_due_at  INTEGER,
    due_at        INTEGER,
    yellow_at     INTEGER,                    -- from then on the light is yellow, after due_at red
    suspended_at  INTEGER,
    paused_ms     INTEGER NOT NULL DEFAULT 0 CHECK (paused_ms >= 0),
    closed_at     INTEGER,
    supervised    INTEGER NOT NULL DEFAULT 0 CHECK (supervised IN (0, 1)),
    extensions    INTEGER NOT NULL DEFAULT 0,
    score         INTEGER CHECK (score BETWEEN 1 AND 5),
    comment       TEXT,
    version       INTEGER NOT NULL DEFAULT 1,
    updated_at    INTEGER NOT NULL,
    FOREIGN KEY (kind, kind_version) REFERENCES case_kind_version (kind, version),
    CHECK ((status = 'suspended') = (suspended_at IS NOT NULL)),
    CHECK ((status = 'closed') = (closed_at IS NOT NULL))
);
CREATE INDEX cases_status ON cases (status, id);
CREATE INDEX cases_loop ON cases (loop, id);
CREATE INDEX cases_kind ON cases (kind, id);
CREATE INDEX cases_department ON cases (department_id, id);
CREATE INDEX cases_assignee ON cases (assignee, id);
CREATE INDEX cases_grid ON cases (grid_id, id);
CREATE INDEX cases_due ON cases (due_at) WHERE status = 'open';

-- Every step of a case. Append-only: what was done stays done.
CREATE TABLE transition (
    id            TEXT PRIMARY KEY,
    case_id       TEXT NOT NULL REFERENCES cases (id),
    seq           INTEGER NOT NULL CHECK (seq >= 1),
    at            INTEGER NOT NULL,
    user_id       TEXT,                       -- NULL: the gateway itself
    user_name     TEXT,                       -- as it was then
    action        TEXT NOT NULL,
    from_stage    TEXT,                       -- NULL: the case was opened
    to_stage      TEXT NOT NULL,
    note          TEXT,
    assignee      TEXT,
    department_id TEXT,
    fields        TEXT NOT NULL DEFAULT '{}', -- JSON object
    UNIQUE (case_id, seq)
) WITHOUT ROWID;
CREATE TRIGGER transition_no_update BEFORE UPDATE ON transition
BEGIN SELECT RAISE(ABORT, 'transition is append-only'); END;
CREATE TRIGGER transition_no_delete BEFORE DELETE ON transition
BEGIN SELECT RAISE(ABORT, 'transition is append-only'); END;

-- The next running number per county and day.
CREATE TABLE case_number (
    prefix        TEXT NOT NULL,
    day           TEXT NOT NULL CHECK (length(day) = 8), -- YYYYMMDD in the county's time zone
    next          INTEGER NOT NULL,
    PRIMARY KEY (prefix, day)
) WITHOUT ROWID;
