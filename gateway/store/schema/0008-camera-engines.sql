-- How a stream is pulled beyond its transport.

ALTER TABLE camera_stream ADD COLUMN engine TEXT NOT NULL DEFAULT 'auto'
    CHECK (engine IN ('auto', 'ffmpeg'));                   -- auto: our own client where it can
ALTER TABLE camera_stream ADD COLUMN tls_fingerprint TEXT   -- SHA-256 of the camera's certificate, lower case
    CHECK (length(tls_fingerprint) = 64);
