-- Passwords that are good for pulling streams over RTSP and for nothing else.

CREATE TABLE stream_password (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),  -- for people
    ha1_sealed TEXT NOT NULL,              -- Digest's hashes, MD5 and SHA-256; the password itself is not kept
    created_at INTEGER NOT NULL,
    last_used_at INTEGER                   -- to the minute or so
);
CREATE INDEX stream_password_account ON stream_password (account_id);
