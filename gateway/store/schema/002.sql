-- Version 2. A page that changes is written twice, to the log and to the file: so a commit of frames appends to one
-- table and touches little else. What changes with every frame is kept in memory and saved now and then; frames that
-- were stored since then (meta: saved_id) are read again when the database is opened.
-- migration.py fills in what SQL cannot: the times of the frames, their chain, and the windows.

CREATE TABLE frame_2 (
    id INTEGER PRIMARY KEY,                -- in order of storing
    device_id INTEGER NOT NULL REFERENCES device (id),
    boot INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    back INTEGER NOT NULL,                 -- how many ids ago its boot's frame before it was stored; 0 = the first
    received_ms INTEGER NOT NULL,
    time_ms INTEGER,                       -- of the first row or event; NULL while nobody knows
    label INTEGER NOT NULL,                -- 0 measured, 1 placed, 2 arrival (then time_ms is NULL)
    turn INTEGER,                          -- the id whose coming gave it its time, where that is a later one
    sealed BLOB NOT NULL
);

INSERT INTO frame_2 SELECT id, device_id, boot, seq, 0, received_ms, NULL, 2, NULL, sealed FROM frame ORDER BY id;

-- What a device said it is, once a boot.
CREATE TABLE boot_2 (
    device_id INTEGER NOT NULL REFERENCES device (id),
    boot INTEGER NOT NULL,
    birth BLOB NOT NULL,                   -- payload of the sealed birth
    birth_ms INTEGER NOT NULL,
    PRIMARY KEY (device_id, boot)
) WITHOUT ROWID;

INSERT INTO boot_2 SELECT device_id, boot, birth, birth_ms FROM boot WHERE birth IS NOT NULL;

-- Which numbers of a boot are here, and its clock.
CREATE TABLE window (
    old INTEGER NOT NULL,                  -- 1 = the device has a newer boot: rows that change lie side by side
    device_id INTEGER NOT NULL REFERENCES device (id),
    boot INTEGER NOT NULL,
    upto INTEGER NOT NULL,                 -- high-water mark: every seq up to here is known
    islands TEXT,                          -- [[first, last], ...] known above a gap
    missing INTEGER NOT NULL,              -- numbers that the board said are gone
    last_id INTEGER NOT NULL,              -- its newest frame; 0 = none. frame.back leads to those before it
    wait_id INTEGER,                       -- no frame of it before this one waits for its time
    offset_s INTEGER,                      -- Unix seconds at uptime 0
    begin_ms INTEGER,                      -- times of its first and last reading
    end_ms INTEGER,
    ahead_ms INTEGER,                      -- uptime of the last event that rows to come may lie before
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (old, device_id, boot)
) WITHOUT ROWID;

INSERT INTO window
    SELECT boot < max(boot) OVER (PARTITION BY device_id), device_id, boot, upto, nullif(islands, '[]'), 0, 0, NULL,
        NULL, NULL, NULL, NULL, coalesce(birth_ms, 0)
    FROM boot;

-- Without a reference to the frame: there is no index for it, and each frame that goes would read the whole table.
CREATE TABLE parked_2 (
    sink TEXT NOT NULL REFERENCES sink (name),
    frame_id INTEGER NOT NULL,
    PRIMARY KEY (sink, frame_id)
) WITHOUT ROWID;

INSERT INTO parked_2 SELECT sink, frame_id FROM parked;

DROP TABLE parked;
DROP TABLE frame;
DROP TABLE boot;
ALTER TABLE frame_2 RENAME TO frame;
ALTER TABLE boot_2 RENAME TO boot;
ALTER TABLE parked_2 RENAME TO parked;
