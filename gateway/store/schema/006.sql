-- Version 6. Which certificate authorities a board trusts, as far as it was told here: by a cable, or by an update.
CREATE TABLE board_trust (
    device_id INTEGER PRIMARY KEY REFERENCES device (id) ON DELETE CASCADE,
    authorities TEXT NOT NULL              -- store/trust.py
);

-- Which images a board went back from.
CREATE TABLE update_rolled_back (
    device_id INTEGER NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    digest BLOB NOT NULL,                  -- SHA-256 of its manifest.json, which holds those of its files
    PRIMARY KEY (device_id, digest)
) WITHOUT ROWID;
