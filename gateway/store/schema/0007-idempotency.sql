-- Answers kept for clients that repeat a POST because they did not see the first answer (Idempotency-Key).
-- A row is written in the same transaction as what the request did, wherever the handler can.

CREATE TABLE idempotency (
    user_id TEXT NOT NULL,
    key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint TEXT NOT NULL,             -- hash of method, path and body, hexadecimal
    status INTEGER NOT NULL CHECK (status BETWEEN 200 AND 299),
    answer TEXT,                           -- JSON; NULL: it was done, but the answer was lost
    at INTEGER NOT NULL,
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_at ON idempotency (at);
