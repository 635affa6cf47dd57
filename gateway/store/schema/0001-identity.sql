-- Who may do what: departments, users, roles, sessions, API tokens, and the audit chain.
-- Times are INTEGER milliseconds UTC; ids are UUIDv7 text.

CREATE TABLE department (
    id TEXT PRIMARY KEY,
    code TEXT NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind TEXT NOT NULL CHECK (kind IN ('public_security', 'traffic', 'urban_management', 'environment',
                                       'governance_centre', 'other')),
    division_id TEXT,                      -- the administrative division it belongs to
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

-- A named set of permissions. scope: 'all' reaches every department's things, 'department' the user's own.
CREATE TABLE role (
    code TEXT PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
    name TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('all', 'department')),
    permissions TEXT NOT NULL,             -- JSON array of permission names
    built_in INTEGER NOT NULL CHECK (built_in IN (0, 1)),
    updated_at INTEGER NOT NULL
);

-- "user" is a word of PostgreSQL's, hence account.
CREATE TABLE account (
    id TEXT PRIMARY KEY,
    username TEXT NOT NULL UNIQUE CHECK (length(username) BETWEEN 1 AND 64),
    display_name TEXT NOT NULL,
    password_hash TEXT NOT NULL,           -- argon2id, as libsodium writes it
    department_id TEXT REFERENCES department (id),
    division_id TEXT,                      -- where the user works, when narrower than the department
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    must_change_password INTEGER NOT NULL CHECK (must_change_password IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_sign_in_at INTEGER
);
CREATE INDEX account_department ON account (department_id);

CREATE TABLE account_role (
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    role_code TEXT NOT NULL REFERENCES role (code),
    PRIMARY KEY (account_id, role_code)
);

-- Sign-ins and API tokens. The secret itself is never stored, only its SHA-256.
CREATE TABLE session (
    id TEXT PRIMARY KEY,
    token_sha256 TEXT NOT NULL UNIQUE,     -- hexadecimal
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('session', 'token')),
    name TEXT,                             -- of an API token, for people
    address TEXT,                          -- where the sign-in came from
    created_at INTEGER NOT NULL,
    expires_at INTEGER,                    -- NULL: an API token without end
    ended_at INTEGER                       -- signed out or revoked
);
CREATE INDEX session_account ON session (account_id);
CREATE INDEX session_expiry ON session (expires_at);

-- One decision or act each, chained: hash = SHA-256(prev_hash || the entry as canonical JSON).
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,            -- 1, 2, 3 … without holes
    at INTEGER NOT NULL,
    user_id TEXT,                          -- NULL: the system itself
    username TEXT,                         -- as it was then
    address TEXT,
    session_id TEXT,
    action TEXT NOT NULL,                  -- "camera.create"
    target_type TEXT,
    target_id TEXT,
    detail TEXT,                           -- JSON, or NULL; never holds secrets
    prev_hash TEXT NOT NULL,               -- hexadecimal; 64 zeros for the first entry
    hash TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_user ON audit (user_id, number);
CREATE INDEX audit_target ON audit (target_type, target_id, number);
CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted'); END;
