PRAGMA application_id=1212629332;
PRAGMA user_version=1;
BEGIN TRANSACTION;
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
INSERT INTO "boot" VALUES(1,1,8,'[]',1780000000,X'870101666672696467656A6672696467652D73696D65302E312E30674B69746368656E85866B6672696467655F74656D706343656C0110006B74656D70657261747572658664646F6F72612F01010164646F6F728669746F705F7368656C66626B67011903E8006573746F636B866A646F6F725F6576656E74612F01010364646F6F7286656661756C74612F0101036B646961676E6F7374696373',1780000000000);
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
CREATE TABLE consent_grant (
    id TEXT PRIMARY KEY,
    record TEXT NOT NULL,                  -- the grant as JSON, as it was agreed to
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER
) WITHOUT ROWID;
INSERT INTO "consent_grant" VALUES('g-0000000000000001','{"category": "temperature", "created_ms": 1780000000000, "devices": ["*"], "expiry_ms": 1811536000000, "granularity": "raw", "hours": null, "id": "g-0000000000000001", "language": "en", "purpose": "product-improvement", "recipient": "manufacturer", "start_ms": 1780000000000, "subject": "Robin", "text": "I agree."}',1780000000000,NULL);
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "counter" VALUES('cloud_events_sent',5);
INSERT INTO "counter" VALUES('cloud_events_sent.g-0000000000000001',5);
INSERT INTO "counter" VALUES('commits',9);
INSERT INTO "counter" VALUES('frames_stored',8);
INSERT INTO "counter" VALUES('granted',48);
INSERT INTO "counter" VALUES('payload_bytes',345);
INSERT INTO "counter" VALUES('readings_stored',48);
INSERT INTO "counter" VALUES('values_stored',144);
INSERT INTO "counter" VALUES('withheld',96);
INSERT INTO "counter" VALUES('withheld.no_grant',96);
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
INSERT INTO "device" VALUES(1,'a0b1c2d3e4f5',X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F','Kitchen fridge',1780000000000,NULL,0,1,1780000480000);
CREATE TABLE frame (
    id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id),
    boot INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (device_id, boot, seq)
);
INSERT INTO "frame" VALUES(1,1,1,1,1780000060000,X'8443A10104A0570101011A6A18A5000019271006491290108068FFD9840048535CC319B91C2982');
INSERT INTO "frame" VALUES(2,1,1,2,1780000120000,X'8443A10104A058190101021A6A18A53C19EA6019271006491290108068FFD9840048E025DCD57D7CD5A9');
INSERT INTO "frame" VALUES(3,1,1,3,1780000180000,X'8443A10104A0581B0101031A6A18A5781A0001D4C019271006491290108068FFD984004832E73C47F048A13B');
INSERT INTO "frame" VALUES(4,1,1,4,1780000240000,X'8443A10104A0581B0101041A6A18A5B41A0002BF2019271006491290108068FFD984004815C92815EF3690BE');
INSERT INTO "frame" VALUES(5,1,1,5,1780000300000,X'8443A10104A0581B0101051A6A18A5F01A0003A98019271006491290108068FFD984004811DBC00BFB18D9BB');
INSERT INTO "frame" VALUES(6,1,1,6,1780000360000,X'8443A10104A0581B0101061A6A18A62C1A000493E019271006491290108068FFD9840048DEBDD237BCAF1B3F');
INSERT INTO "frame" VALUES(7,1,1,7,1780000420000,X'8443A10104A0581B0101071A6A18A6681A00057E4019271006491290108068FFD984004855B0F7344E9A5BE4');
INSERT INTO "frame" VALUES(8,1,1,8,1780000480000,X'8443A10104A0581B0101081A6A18A6A41A000668A019271006491290108068FFD98400483606E06741FF45E8');
CREATE TABLE horizon (
    sink TEXT NOT NULL REFERENCES sink (name),
    device_id INTEGER NOT NULL REFERENCES device (id),
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (sink, device_id)
) WITHOUT ROWID;
INSERT INTO "horizon" VALUES('cloud',1,1780000480000);
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('household_secret',X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F');
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
INSERT INTO "outbox" VALUES(6,'cloud','68a484be6c68ecd61f1b2b9f211b0945','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000300000,1780000350000,'{"specversion":"1.0","id":"68a484be6c68ecd61f1b2b9f211b0945","source":"urn:hearthgate:device:110808e58ec23b1c0cb10e8b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:31:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20,20.0625,20.125,20.1875,20.25,20.3125]}}');
INSERT INTO "outbox" VALUES(7,'cloud','c2ea5601318a75cfe516130931436936','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000360000,1780000410000,'{"specversion":"1.0","id":"c2ea5601318a75cfe516130931436936","source":"urn:hearthgate:device:110808e58ec23b1c0cb10e8b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:32:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20,20.0625,20.125,20.1875,20.25,20.3125]}}');
INSERT INTO "outbox" VALUES(8,'cloud','2eeb0d67f55f6dd59161b64aa984c8d0','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000420000,1780000470000,'{"specversion":"1.0","id":"2eeb0d67f55f6dd59161b64aa984c8d0","source":"urn:hearthgate:device:110808e58ec23b1c0cb10e8b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:33:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20,20.0625,20.125,20.1875,20.25,20.3125]}}');
CREATE TABLE parked (
    sink TEXT NOT NULL REFERENCES sink (name),
    frame_id INTEGER NOT NULL REFERENCES frame (id),
    PRIMARY KEY (sink, frame_id)
) WITHOUT ROWID;
CREATE TABLE revision (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "revision" VALUES('devices',1);
INSERT INTO "revision" VALUES('grants',1);
CREATE TABLE sink (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL                -- every frame up to this id was decided on or is parked
) WITHOUT ROWID;
INSERT INTO "sink" VALUES('cloud',8);
CREATE INDEX dead_letter_whole ON dead_letter (whole, id);
COMMIT;
