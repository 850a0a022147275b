PRAGMA application_id=1212629332;
PRAGMA user_version=2;
BEGIN TRANSACTION;
CREATE TABLE "boot" (
    device_id INTEGER NOT NULL REFERENCES device (id),
    boot INTEGER NOT NULL,
    birth BLOB NOT NULL,                   -- payload of the sealed birth
    birth_ms INTEGER NOT NULL,
    PRIMARY KEY (device_id, boot)
) WITHOUT ROWID;
INSERT INTO "boot" VALUES(1,1,X'870101666672696467656A6672696467652D73696D65302E312E30674B69746368656E85866B6672696467655F74656D706343656C0110006B74656D70657261747572658664646F6F72612F01010164646F6F728669746F705F7368656C66626B67011903E8006573746F636B866A646F6F725F6576656E74612F01010364646F6F7286656661756C74612F0101036B646961676E6F7374696373',1780000480000);
INSERT INTO "boot" VALUES(1,4,X'870104666672696467656A6672696467652D73696D65302E312E30674B69746368656E85866B6672696467655F74656D706343656C0110006B74656D70657261747572658664646F6F72612F01010164646F6F728669746F705F7368656C66626B67011903E8006573746F636B866A646F6F725F6576656E74612F01010364646F6F7286656661756C74612F0101036B646961676E6F7374696373',1780000660000);
INSERT INTO "boot" VALUES(2,2,X'870102666672696467656A6672696467652D73696D65302E312E30674B69746368656E85866B6672696467655F74656D706343656C0110006B74656D70657261747572658664646F6F72612F01010164646F6F728669746F705F7368656C66626B67011903E8006573746F636B866A646F6F725F6576656E74612F01010364646F6F7286656661756C74612F0101036B646961676E6F7374696373',1780000660000);
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
INSERT INTO "bucket" VALUES('shop','g-0000000000000002',1,'top_shelf','hour','restocking','stock','kg','measured',1779998400000,1780002000000,60,107754,1792,1799,1,1000,1780000780000);
INSERT INTO "bucket" VALUES('shop','g-0000000000000002',2,'top_shelf','hour','restocking','stock','kg','measured',1779998400000,1780002000000,12,21582,1798,1799,1,1000,1780000660000);
CREATE TABLE consent_grant (
    id TEXT PRIMARY KEY,
    record TEXT NOT NULL,                  -- the grant as JSON, as it was agreed to
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER
) WITHOUT ROWID;
INSERT INTO "consent_grant" VALUES('g-0000000000000001','{"category": "temperature", "created_ms": 1780000000000, "devices": ["*"], "expiry_ms": 1811536000000, "explicit": false, "granularity": "raw", "hours": null, "id": "g-0000000000000001", "language": "en", "purpose": "product-improvement", "recipient": "manufacturer", "since_ms": null, "start_ms": 1780000000000, "subject": "Robin", "text": "I agree.", "version": 1}',1780000000000,NULL);
INSERT INTO "consent_grant" VALUES('g-0000000000000002','{"category": "stock", "created_ms": 1780000000000, "devices": ["*"], "expiry_ms": 1811536000000, "explicit": false, "granularity": "hour", "hours": {"days": null, "end_min": 1439, "start_min": 0, "timezone": "Europe/Berlin"}, "id": "g-0000000000000002", "language": "en", "purpose": "restocking", "recipient": "shop", "since_ms": null, "start_ms": 1780000000000, "subject": "Robin", "text": "I agree.", "version": 1}',1780000000000,NULL);
INSERT INTO "consent_grant" VALUES('g-0000000000000003','{"category": "door", "created_ms": 1780000000000, "devices": ["*"], "expiry_ms": 1811536000000, "explicit": false, "granularity": "event", "hours": null, "id": "g-0000000000000003", "language": "en", "purpose": "product-improvement", "recipient": "manufacturer", "since_ms": null, "start_ms": 1780000000000, "subject": "Robin", "text": "I agree.", "version": 1}',1780000000000,1780000000000);
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "counter" VALUES('cloud_events_sent',3);
INSERT INTO "counter" VALUES('cloud_events_sent.g-0000000000000001',3);
INSERT INTO "counter" VALUES('commits',6);
INSERT INTO "counter" VALUES('dead_letters',2);
INSERT INTO "counter" VALUES('dead_letters.bad_frame',1);
INSERT INTO "counter" VALUES('dead_letters.bad_mac',1);
INSERT INTO "counter" VALUES('frames_stored',15);
INSERT INTO "counter" VALUES('granted',144);
INSERT INTO "counter" VALUES('payload_bytes',610);
INSERT INTO "counter" VALUES('readings_stored',84);
INSERT INTO "counter" VALUES('values_stored',248);
INSERT INTO "counter" VALUES('withheld',292);
INSERT INTO "counter" VALUES('withheld.no_grant',218);
INSERT INTO "counter" VALUES('withheld.revoked',74);
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
INSERT INTO "dead_letter" VALUES(1,X'488C65EA39E86861B39BBD0BCDDB284FB26AAB7197BA19F2BC7C84254B01F1EF',1780000660000,'hg/1/a0b1c2d3e4f5/up','bad_mac','not a COSE_Mac0 with HMAC 256/64',4,1,0,X'6A756E6B');
INSERT INTO "dead_letter" VALUES(2,X'96AE288312A5FD1B52DAEF84D0947E0B7A594F7770285248DD2C7B4B8EF8C931',1780000660000,'hg/1/a0b1c2d3e4f5/up','bad_frame','a frame has 6, 8 or 9 items, not 2',18,1,0,X'8443A10104A04201024879F5832EC1156B4A');
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
INSERT INTO "device" VALUES(2,'ffffffffffff',X'0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F20','Kitchen fridge',1780000000000,NULL,0,0,NULL);
CREATE TABLE "frame" (
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
INSERT INTO "frame" VALUES(1,1,1,1,0,1780000480000,1780000000000,0,NULL,X'8443A10104A058190101011A6A18A50019EA6019271006491290508068FFD9838048E946BC0BF35F4ADF');
INSERT INTO "frame" VALUES(2,1,1,2,1,1780000480000,1780000060000,0,NULL,X'8443A10104A058190101021A6A18A53C19EA6019271006491290908068FFD98300482DE8D4CF63D3AFB0');
INSERT INTO "frame" VALUES(3,1,1,3,1,1780000480000,1780000120000,0,NULL,X'8443A10104A058190101031A6A18A57819EA6019271006491290D08068FFD9828048CA381445834AB150');
INSERT INTO "frame" VALUES(4,1,1,4,1,1780000480000,1780000180000,0,NULL,X'8443A10104A058190101041A6A18A5B419EA6019271006491291108068FFD9820048608A35B89A4BA5E5');
INSERT INTO "frame" VALUES(5,1,1,5,1,1780000480000,1780000240000,0,NULL,X'8443A10104A058190101051A6A18A5F019EA6019271006491290108068FFD98180482F824E64CB5E4139');
INSERT INTO "frame" VALUES(6,1,1,6,1,1780000480000,1780000300000,0,NULL,X'8443A10104A058190101061A6A18A62C19EA6019271006491290508068FFD9810048312046E385EC7B21');
INSERT INTO "frame" VALUES(7,1,1,7,1,1780000480000,1780000360000,0,NULL,X'8443A10104A058190101071A6A18A66819EA6019271006491290908068FFD9808048CBB91C81ABC31BCD');
INSERT INTO "frame" VALUES(8,1,1,8,1,1780000480000,1780000420000,0,NULL,X'8443A10104A058190101081A6A18A6A419EA6019271006491290D08068FFD9800048AAD589A286AB90B8');
INSERT INTO "frame" VALUES(9,2,2,1,0,1780000660000,1780000480000,0,NULL,X'8443A10104A058190102011A6A18A6E019EA6019271006491290508068FFD9838048F8A64730430C67F3');
INSERT INTO "frame" VALUES(10,2,2,2,1,1780000660000,1780000540000,0,NULL,X'8443A10104A058190102021A6A18A71C19EA6019271006491290908068FFD9830048CE558FC3B4775B66');
INSERT INTO "frame" VALUES(11,2,2,4,1,1780000660000,NULL,2,NULL,X'8443A10104A058190102041A6A18A75819EA6019271006491291108068FFD98200483BE93F2BC57C4314');
INSERT INTO "frame" VALUES(12,1,3,1,0,1780000660000,NULL,2,NULL,X'8443A10104A050010301F61913881927100444108001004827CFDD996AAEA26C');
INSERT INTO "frame" VALUES(13,1,4,1,0,1780000660000,1780000601000,1,14,X'8443A10104A050010401F61903E88603000103190384004884AF3919057C6EC9');
INSERT INTO "frame" VALUES(14,1,4,2,1,1780000780000,1780000660000,0,NULL,X'8443A10104A058190104021A6A18A79419EA6019271006491290908068FFD9830048611D452F8454F55A');
INSERT INTO "frame" VALUES(15,1,4,3,1,1780000780000,1780000720000,0,NULL,X'8443A10104A058190104031A6A18A7D019EA6019271006491290D08068FFD982804856BCA38C0554F5E8');
CREATE TABLE horizon (
    sink TEXT NOT NULL REFERENCES sink (name),
    device_id INTEGER NOT NULL REFERENCES device (id),
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (sink, device_id)
) WITHOUT ROWID;
INSERT INTO "horizon" VALUES('shop',1,1780000780000);
INSERT INTO "horizon" VALUES('shop',2,1780000600000);
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('household_secret',X'1CCBB7B304F0A6D84FF8E2FCF46D73BE1ED14E975F561BCFF7DBF294414BA346');
INSERT INTO "meta" VALUES('saved_id',15);
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
INSERT INTO "outbox" VALUES(4,'cloud','0d911489636e334fa76762150203b92e','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000180000,1780000230000,'{"specversion":"1.0","id":"0d911489636e334fa76762150203b92e","source":"urn:hearthgate:device:a033964a1736e6ef92803a9e","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:29:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20.25,20.3125,20.375,20.4375,20.5,20.5625]}}');
INSERT INTO "outbox" VALUES(5,'cloud','0ee6aaf450d1aefabd57c6d90240db76','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000240000,1780000290000,'{"specversion":"1.0","id":"0ee6aaf450d1aefabd57c6d90240db76","source":"urn:hearthgate:device:a033964a1736e6ef92803a9e","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:30:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20,20.0625,20.125,20.1875,20.25,20.3125]}}');
INSERT INTO "outbox" VALUES(6,'cloud','9152b392bcfc9e1d8cc76b65e14dabbc','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000300000,1780000350000,'{"specversion":"1.0","id":"9152b392bcfc9e1d8cc76b65e14dabbc","source":"urn:hearthgate:device:a033964a1736e6ef92803a9e","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:31:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20.0625,20.125,20.1875,20.25,20.3125,20.375]}}');
INSERT INTO "outbox" VALUES(7,'cloud','66e13971a01d6dca02c5fb7764068617','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000360000,1780000410000,'{"specversion":"1.0","id":"66e13971a01d6dca02c5fb7764068617","source":"urn:hearthgate:device:a033964a1736e6ef92803a9e","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:32:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20.125,20.1875,20.25,20.3125,20.375,20.4375]}}');
INSERT INTO "outbox" VALUES(8,'cloud','01df044905d6af9f976273ec4cba9547','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000420000,1780000470000,'{"specversion":"1.0","id":"01df044905d6af9f976273ec4cba9547","source":"urn:hearthgate:device:a033964a1736e6ef92803a9e","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:33:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20.1875,20.25,20.3125,20.375,20.4375,20.5]}}');
INSERT INTO "outbox" VALUES(9,'cloud','43e29fb8ca8e7f2270cd6a196c0fa8e3','g-0000000000000001','ffffffffffff','temperature','product-improvement','raw',0,1780000480000,1780000530000,'{"specversion":"1.0","id":"43e29fb8ca8e7f2270cd6a196c0fa8e3","source":"urn:hearthgate:device:2f05ab3570e18826435ab8e2","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:34:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20.0625,20.125,20.1875,20.25,20.3125,20.375]}}');
INSERT INTO "outbox" VALUES(10,'cloud','7fbc702a1af8bd29042b1bd3850c5e25','g-0000000000000001','ffffffffffff','temperature','product-improvement','raw',0,1780000540000,1780000590000,'{"specversion":"1.0","id":"7fbc702a1af8bd29042b1bd3850c5e25","source":"urn:hearthgate:device:2f05ab3570e18826435ab8e2","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:35:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20.125,20.1875,20.25,20.3125,20.375,20.4375]}}');
INSERT INTO "outbox" VALUES(11,'cloud','279ecadb6a42268168fc0c2ef8fc188e','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000660000,1780000710000,'{"specversion":"1.0","id":"279ecadb6a42268168fc0c2ef8fc188e","source":"urn:hearthgate:device:a033964a1736e6ef92803a9e","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:37:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20.125,20.1875,20.25,20.3125,20.375,20.4375]}}');
INSERT INTO "outbox" VALUES(12,'cloud','6175d8ee0d71723e95fb74ac0e218286','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000720000,1780000770000,'{"specversion":"1.0","id":"6175d8ee0d71723e95fb74ac0e218286","source":"urn:hearthgate:device:a033964a1736e6ef92803a9e","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:38:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20.1875,20.25,20.3125,20.375,20.4375,20.5]}}');
CREATE TABLE "parked" (
    sink TEXT NOT NULL REFERENCES sink (name),
    frame_id INTEGER NOT NULL,
    PRIMARY KEY (sink, frame_id)
) WITHOUT ROWID;
INSERT INTO "parked" VALUES('cloud',11);
INSERT INTO "parked" VALUES('cloud',12);
INSERT INTO "parked" VALUES('shop',11);
INSERT INTO "parked" VALUES('shop',12);
CREATE TABLE revision (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "revision" VALUES('devices',2);
INSERT INTO "revision" VALUES('grants',4);
CREATE TABLE sink (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL                -- every frame up to this id was decided on or is parked
) WITHOUT ROWID;
INSERT INTO "sink" VALUES('cloud',15);
INSERT INTO "sink" VALUES('shop',15);
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
INSERT INTO "window" VALUES(0,1,4,3,NULL,0,15,NULL,1780000660,1780000601000,1780000770000,NULL,1780000780000);
INSERT INTO "window" VALUES(0,2,2,2,'[[4, 4]]',0,11,11,1780000480,1780000480000,1780000590000,NULL,1780000660000);
INSERT INTO "window" VALUES(1,1,1,8,NULL,0,8,NULL,1780000360,1780000000000,1780000470000,NULL,1780000480000);
INSERT INTO "window" VALUES(1,1,3,1,NULL,0,12,12,NULL,NULL,NULL,NULL,1780000660000);
CREATE INDEX dead_letter_whole ON dead_letter (whole, id);
COMMIT;
