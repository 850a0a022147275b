-- Version 3. Consent as people live with it: grants that change and rest, who may give them, and a record of what left.

-- The record in consent_grant is the newest version; what became of it stands beside it.
ALTER TABLE consent_grant ADD COLUMN paused_ms INTEGER;
ALTER TABLE consent_grant ADD COLUMN resumed_ms INTEGER;

CREATE TABLE grant_version (
    grant_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    record TEXT NOT NULL,                  -- the grant as JSON, as it was agreed to
    PRIMARY KEY (grant_id, version)
) WITHOUT ROWID;

INSERT INTO grant_version SELECT id, 1, record FROM consent_grant;

CREATE TABLE person (
    name TEXT PRIMARY KEY,                 -- as grants say it in their subject
    role TEXT NOT NULL,                    -- adult or child
    id TEXT NOT NULL UNIQUE                -- random: the ledger says this, so that a name can go and the chain stays
) WITHOUT ROWID;

-- Counts up when a recipient is to know the household's devices by new names. No row: 0.
CREATE TABLE pseudonym (
    recipient TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL
) WITHOUT ROWID;

-- What happened to grants, and every disclosure, in a hash chain (consent/ledger.py). Rows are only added.
CREATE TABLE ledger (
    n INTEGER PRIMARY KEY,                 -- 1, 2, 3 …
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    entry BLOB NOT NULL,                   -- canonical JSON; holds n, at_ms and kind again
    prev BLOB NOT NULL,
    hash BLOB NOT NULL                     -- SHA-256 of prev and entry
);

-- What people did, without the disclosures: a few rows among many.
CREATE INDEX ledger_acts ON ledger (n) WHERE kind NOT IN ('sending', 'delivered', 'refused', 'aborted');

-- What may have left so far, in totals: whom an erasure must be told, and of what.
CREATE TABLE disclosure (
    recipient TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    device TEXT NOT NULL,
    epoch INTEGER NOT NULL,                -- of the pseudonym it left under
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (recipient, grant_id, device, epoch)
) WITHOUT ROWID;

-- Requests to erase what left, told to a recipient until it says that it has them.
CREATE TABLE notice (
    id TEXT PRIMARY KEY,
    recipient TEXT NOT NULL,
    grant_id TEXT,                         -- NULL: of a device or person, under whichever grant
    reason TEXT NOT NULL,                  -- revoked, erased
    created_ms INTEGER NOT NULL,
    body TEXT NOT NULL                     -- signed JSON: the bytes that are sent, and sent again
) WITHOUT ROWID;

-- A recipient may have several sinks: each is told, and each says that it has it.
CREATE TABLE notice_sink (
    notice_id TEXT NOT NULL REFERENCES notice (id),
    sink TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    acked_ms INTEGER,
    PRIMARY KEY (notice_id, sink)
) WITHOUT ROWID;

CREATE INDEX notice_waiting ON notice_sink (sink) WHERE acked_ms IS NULL;

-- What of a device may be used at home only: no row is keep (consent/local_use.py).
CREATE TABLE local_use (
    device TEXT NOT NULL,                  -- 12 hex digits, or *
    category TEXT NOT NULL,
    mode TEXT NOT NULL,                    -- keep, granted, unmeasured
    PRIMARY KEY (device, category)
) WITHOUT ROWID;

ALTER TABLE device ADD COLUMN quiet INTEGER NOT NULL DEFAULT 0;   -- somebody pressed its button long: it says nothing

-- Which version of the grant an event was built under, and the label of the epoch of the name it carries.
ALTER TABLE outbox ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE outbox ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
