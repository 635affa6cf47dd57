-- Cameras and the streams they are pulled by.

CREATE TABLE camera (
    id TEXT PRIMARY KEY,
    code TEXT UNIQUE CHECK (length(code) BETWEEN 1 AND 64), -- 20 digits where it has a GB/T 28181 id
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    department_id TEXT NOT NULL REFERENCES department (id), -- the owner
    grid_id TEXT,
    lat REAL CHECK (lat BETWEEN -90 AND 90),                -- WGS 84
    lon REAL CHECK (lon BETWEEN -180 AND 180),
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    record_mode TEXT NOT NULL CHECK (record_mode IN ('continuous', 'on_demand', 'off')),
    retention_days INTEGER NOT NULL CHECK (retention_days BETWEEN 1 AND 36500),
    version INTEGER NOT NULL,                               -- grows with each change; the ETag
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK ((lat IS NULL) = (lon IS NULL))
);
CREATE INDEX camera_department ON camera (department_id);
CREATE INDEX camera_grid ON camera (grid_id);

CREATE TABLE camera_stream (
    camera_id TEXT NOT NULL REFERENCES camera (id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('main', 'sub')),
    url TEXT NOT NULL,                                      -- without user info
    username TEXT,
    password_sealed TEXT,                                   -- see access_seal(); never leaves the program
    transport TEXT NOT NULL CHECK (transport IN ('auto', 'tcp', 'udp')),
    PRIMARY KEY (camera_id, role)
);
