-- Hearthgate's database, version 1. Times are Unix milliseconds.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE device (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL UNIQUE,           -- the 12 hex digits of its topic
    key BLOB NOT NULL,                     -- of its COSE_Mac0
    name TEXT NOT NULL,
    enrolled_ms INTEGER NOT NULL,
    revoked_ms INTEGER,
    command_counter INTEGER NOT NULL DEFAULT 0,
    online INTEGER NOT NULL DEFAULT 0,
    seen_ms INTEGER
);

-- One row a boot of a device: its dedup window, its clock and what it said it is.
CREATE TABLE boot (
    device_id INTEGER NOT NULL REFERENCES device (id),
    boot INTEGER NOT NULL,
    upto INTEGER NOT NULL DEFAULT 0,       -- high-water mark: every seq up to here is stored
    islands TEXT NOT NULL DEFAULT '[]',    -- [[first, last], ...] stored above a gap
    clock_offset_s INTEGER,                -- Unix seconds at uptime 0, from the first frame that carried both
    birth BLOB,                            -- payload of the sealed birth
    birth_ms INTEGER,
    PRIMARY KEY (device_id, boot)
) WITHOUT ROWID;

-- The sealed frames are what is kept: small, and the evidence. Readings are decoded when asked for.
CREATE TABLE frame (
    id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id),
    boot INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (device_id, boot, seq)
);

-- What came and could not be used, each with its reason; the same bytes again only count up.
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,           -- SHA-256 of topic and payload
    received_ms INTEGER NOT NULL,          -- the last time
    topic TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    size INTEGER NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    whole INTEGER NOT NULL,                -- 1 = came with a right MAC (and, if it is a frame, was acked): kept whole
    payload BLOB NOT NULL                  -- cut off after 4 KiB unless it is kept whole
);

CREATE INDEX dead_letter_whole ON dead_letter (whole, id);

CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID;

-- Counts up with every change, so that a running gateway sees what a command beside it did.
CREATE TABLE revision (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE consent_grant (
    id TEXT PRIMARY KEY,
    record TEXT NOT NULL,                  -- the grant as JSON, as it was agreed to
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER
) WITHOUT ROWID;

-- Each sink reads the frames at its own pace.
CREATE TABLE sink (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL                -- every frame up to this id was decided on or is parked
) WITHOUT ROWID;

-- Frames that a sink's cursor has passed and that it has not decided on: they wait for room in its outbox, for their
-- device's birth, or for the frame before them.
CREATE TABLE parked (
    sink TEXT NOT NULL REFERENCES sink (name),
    frame_id INTEGER NOT NULL REFERENCES frame (id),
    PRIMARY KEY (sink, frame_id)
) WITHOUT ROWID;

-- Aggregates that are still being filled, under the grant that allows them.
CREATE TABLE bucket (
    sink TEXT NOT NULL REFERENCES sink (name),
    grant_id TEXT NOT NULL,
    device_id INTEGER NOT NULL REFERENCES device (id),
    channel TEXT NOT NULL,
    granularity TEXT NOT NULL,
    purpose TEXT NOT NULL,
    category TEXT NOT NULL,
    unit TEXT NOT NULL,
    time_label TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    n INTEGER NOT NULL,
    total INTEGER NOT NULL,                -- sum of the scaled integers: exact
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    num INTEGER NOT NULL,
    den INTEGER NOT NULL,
    touched_ms INTEGER NOT NULL,           -- when the last of it came
    -- a new boot may bring another scale: then the bucket has two parts, and two events are sent
    PRIMARY KEY (sink, grant_id, device_id, channel, start_ms, unit, num, den)
) WITHOUT ROWID;

-- Up to which time the series of a device were read for a sink: buckets that end there are complete.
CREATE TABLE horizon (
    sink TEXT NOT NULL REFERENCES sink (name),
    device_id INTEGER NOT NULL REFERENCES device (id),
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (sink, device_id)
) WITHOUT ROWID;

-- Events built once and sent until the sink has them: a retry is byte for byte the same.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    sink TEXT NOT NULL REFERENCES sink (name),
    event_id TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    device TEXT NOT NULL,
    category TEXT NOT NULL,
    purpose TEXT NOT NULL,
    granularity TEXT NOT NULL,
    is_event INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (sink, event_id)
);
