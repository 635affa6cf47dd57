-- The county as data: divisions, grids, the event dictionary, case kinds, rules.
-- Times are INTEGER milliseconds since 1970, UTC. JSON columns hold what was validated on the way in.

-- City, county, township, village by their statistical code, which is also their id:
-- the same division has the same id in every centre of the four levels.
CREATE TABLE division (
    id            TEXT PRIMARY KEY CHECK (length(id) = 12 AND id NOT GLOB '*[^0-9]*'),
    name          TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    level         TEXT NOT NULL CHECK (level IN ('city', 'county', 'township', 'village')),
    parent_id     TEXT REFERENCES division (id),
    abbreviation  TEXT CHECK (length(abbreviation) BETWEEN 1 AND 8), -- begins the case numbers of a county
    synthetic     INTEGER NOT NULL DEFAULT 0 CHECK (synthetic IN (0, 1)), -- invented, not a public fact
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    CHECK (parent_id IS NULL OR parent_id <> id)
) WITHOUT ROWID;
CREATE INDEX division_parent ON division (parent_id, id);

-- The smallest unit: a polygon within a village. This row is the grid as it is now.
CREATE TABLE grid (
    id            TEXT PRIMARY KEY,
    code          TEXT NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
    name          TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    division_id   TEXT NOT NULL REFERENCES division (id),
    geometry      TEXT NOT NULL,              -- GeoJSON Polygon or MultiPolygon, WGS 84, longitude first
    version       INTEGER NOT NULL CHECK (version >= 1),
    synthetic     INTEGER NOT NULL DEFAULT 0 CHECK (synthetic IN (0, 1)),
    enabled       INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
);
CREATE INDEX grid_division ON grid (division_id, code);

-- Every shape a grid ever had, so that an old case keeps the grid it was opened in.
CREATE TABLE grid_version (
    grid_id       TEXT NOT NULL REFERENCES grid (id),
    version       INTEGER NOT NULL,
    name          TEXT NOT NULL,
    division_id   TEXT NOT NULL,
    geometry      TEXT NOT NULL,
    valid_from    INTEGER NOT NULL,
    PRIMARY KEY (grid_id, version)
) WITHOUT ROWID;
CREATE TRIGGER grid_version_no_update BEFORE UPDATE ON grid_version
BEGIN SELECT RAISE(ABORT, 'grid_version is append-only'); END;
CREATE TRIGGER grid_version_no_delete BEFORE DELETE ON grid_version
BEGIN SELECT RAISE(ABORT, 'grid_version is append-only'); END;

-- A dictionary names the standard it follows, and can be replaced by a newer one.
CREATE TABLE dictionary (
    code          TEXT PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
    standard      TEXT NOT NULL,              -- "GB/T 47678.5", or "local"
    version       TEXT NOT NULL,              -- "2026"
    name          TEXT NOT NULL,
    local         INTEGER NOT NULL DEFAULT 0 CHECK (local IN (0, 1)),
    updated_at    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE tag (
    code          TEXT PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
    dictionary    TEXT NOT NULL REFERENCES dictionary (code),
    class         TEXT NOT NULL CHECK (length(class) BETWEEN 1 AND 16),
    class_name    TEXT NOT NULL,
    name          TEXT NOT NULL,
    name_en       TEXT,
    colour        TEXT NOT NULL CHECK (colour GLOB '#[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'),
    severity      TEXT NOT NULL CHECK (severity IN ('info', 'minor', 'major', 'critical')),
    department_kind TEXT,                     -- whose matter it is; NULL: the governance centre decides
    window_s      INTEGER CHECK (window_s BETWEEN 1 AND 86400), -- correlation window; NULL: the option's
    enabled       INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    updated_at    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tag_class ON tag (class, code);

-- What detectors and other systems call a tag. Lower case.
CREATE TABLE tag_alias (
    alias         TEXT PRIMARY KEY CHECK (length(alias) BETWEEN 1 AND 64),
    tag           TEXT NOT NULL REFERENCES tag (code) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX tag_alias_tag ON tag_alias (tag);

-- The one tag that is always there: what no dictionary knows.
INSERT INTO dictionary (code, standard, version, name, local, updated_at)
VALUES ('builtin', 'local', '1', '内置', 1, 0);
INSERT INTO tag (code, dictionary, class, class_name, name, name_en, colour, severity, updated_at)
VALUES ('other', 'builtin', '00', '未归类', '其他', 'Other', '#8a8f98', 'minor', 0);

-- Workflow definitions. A case keeps the version it was opened under.
CREATE TABLE case_kind (
    code          TEXT PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
    version       INTEGER NOT NULL CHECK (version >= 1),
    enabled       INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE case_kind_version (
    kind          TEXT NOT NULL REFERENCES case_kind (code),
    version       INTEGER NOT NULL,
    definition    TEXT NOT NULL,              -- JSON, see seeds/README.md
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (kind, version)
) WITHOUT ROWID;
CREATE TRIGGER case_kind_version_no_update BEFORE UPDATE ON case_kind_version
BEGIN SELECT RAISE(ABORT, 'case_kind_version is append-only'); END;
CREATE TRIGGER case_kind_version_no_delete BEFORE DELETE ON case_kind_version
BEGIN SELECT RAISE(ABORT, 'case_kind_version is append-only'); END;

-- Which incidents become cases. The enabled rule with the lowest order that fits decides.
CREATE TABLE rule (
    id            TEXT PRIMARY KEY,
    code          TEXT NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
    sort          INTEGER NOT NULL DEFAULT 100,
    enabled       INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    name          TEXT NOT NULL,
    conditions    TEXT NOT NULL,              -- JSON object "when"
    effect        TEXT NOT NULL,              -- JSON object "then"
    version       INTEGER NOT NULL DEFAULT 1,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
);
CREATE INDEX rule_sort ON rule (sort, code);
