-- Recorded files. A row exists only for a file that exists; where it lies follows from the key:
-- CAMERA_ID/YYYY/MM/DD/HHMMSSmmmZ[-EPOCH].mp4 under the volume's directory.

CREATE TABLE segment (
    camera_id TEXT NOT NULL,                       -- no reference: footage outlives its camera's row
    start_ms INTEGER NOT NULL CHECK (start_ms >= 0), -- arrival of the first frame, wall clock
    epoch INTEGER NOT NULL CHECK (epoch >= 0),     -- grows when the wall clock steps back
    end_ms INTEGER NOT NULL CHECK (end_ms >= start_ms),
    open INTEGER NOT NULL CHECK (open IN (0, 1)),  -- still being written, or left so by a kill
    bytes INTEGER NOT NULL CHECK (bytes >= 0),     -- of the file
    volume TEXT NOT NULL,                          -- its name in the configuration
    codecs TEXT NOT NULL,                          -- RFC 6381: 'avc1.64001f,mp4a.40.2'
    gap TEXT NOT NULL CHECK (gap IN ('', 'offline', 'stalled', 'disk', 'stopped', 'clock', 'deleted')),
                                                   -- why nothing follows at once; '' when something does
    PRIMARY KEY (camera_id, start_ms, epoch)
) WITHOUT ROWID;
-- For repair at start, and for the newest clock epoch: both all but empty.
CREATE INDEX segment_open ON segment (volume) WHERE open = 1;
CREATE INDEX segment_epoch ON segment (camera_id, epoch) WHERE epoch > 0;
