-- Version 4. Keys that change: the next one of a board, until it has used it.
CREATE TABLE rekey (
    device_id INTEGER PRIMARY KEY REFERENCES device (id) ON DELETE CASCADE,
    key BLOB NOT NULL,                     -- the next one
    follows BLOB NOT NULL,                 -- the one that it follows: a device that was enrolled anew has another
    begun_ms INTEGER NOT NULL,
    heard INTEGER NOT NULL DEFAULT 0       -- messages under the old key since then
);
