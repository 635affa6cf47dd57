-- Imports of many cameras from one file, and what became of each of its rows. Kept for a week.

CREATE TABLE camera_import (
    id TEXT PRIMARY KEY,
    account_id TEXT,                        -- who asked; NULL: the command line
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
    reason TEXT,                            -- why it failed
    dry_run INTEGER NOT NULL,
    encoding TEXT NOT NULL,                 -- what the file was read as
    crs TEXT NOT NULL,
    ignored TEXT NOT NULL,                  -- headings that mean nothing here, a JSON list
    row_count INTEGER NOT NULL,
    created INTEGER NOT NULL DEFAULT 0,
    updated INTEGER NOT NULL DEFAULT 0,
    unchanged INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER NOT NULL,
    ended_at INTEGER
);

CREATE TABLE camera_import_row (
    import_id TEXT NOT NULL REFERENCES camera_import (id) ON DELETE CASCADE,
    line INTEGER NOT NULL,                  -- where the row begins in the file, from 1
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('created', 'updated', 'unchanged', 'failed')),
    errors TEXT NOT NULL,                   -- JSON list of {field, reason}
    PRIMARY KEY (import_id, line)
) WITHOUT ROWID;
