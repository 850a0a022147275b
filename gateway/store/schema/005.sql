-- Version 5. Updates over the air: what is to go on which board, and how far it is.
CREATE TABLE update_image (
    sequence INTEGER PRIMARY KEY,          -- of its manifest: Unix seconds, and beyond every one before
    class TEXT NOT NULL,                   -- of boards, as they say it
    firmware TEXT NOT NULL,
    files BLOB NOT NULL                    -- CBOR: [[name, bytes], …], the slot's manifest.json last
);
CREATE TABLE update_device (
    device_id INTEGER PRIMARY KEY REFERENCES device (id) ON DELETE CASCADE,
    stage INTEGER NOT NULL,                -- 0 one, 1 few, 2 all
    state TEXT NOT NULL,                   -- gateway/update/rollout.py
    sequence INTEGER,                      -- of its image, once it is known what it needs
    done INTEGER NOT NULL DEFAULT 0,       -- bytes that it has
    size INTEGER NOT NULL DEFAULT 0,       -- bytes in all
    detail TEXT NOT NULL DEFAULT '',
    begun_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL
);

-- Why boards crashed: the newest few of each device (store/crashes.py).
CREATE TABLE crash (
    id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    received_ms INTEGER NOT NULL,
    payload BLOB NOT NULL,                 -- of the sealed crash report; the same bytes again are the same report
    UNIQUE (device_id, payload)
);

-- A grant that reaches back: which of the frames that a sink had decided on before are looked at again, for it alone.
CREATE TABLE look_back (
    sink TEXT NOT NULL REFERENCES sink (name),
    grant_id TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    start_ms INTEGER NOT NULL,
    next_id INTEGER NOT NULL,              -- done when it is beyond until_id
    until_id INTEGER NOT NULL,
    PRIMARY KEY (sink, grant_id, since_ms, start_ms)
) WITHOUT ROWID;

-- Frames among them that the sink had parked: it decides on them when their turn comes, and knows the grant then.
CREATE TABLE look_back_parked (
    sink TEXT NOT NULL REFERENCES sink (name),
    grant_id TEXT NOT NULL,
    frame_id INTEGER NOT NULL,
    PRIMARY KEY (sink, grant_id, frame_id)
) WITHOUT ROWID;
