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
INSERT INTO "boot" VALUES(1,1,4,'[[6, 6]]',1780000040,X'870101666672696467656A6672696467652D73696D65302E312E30674B69746368656E85866B6672696467655F74656D706343656C0110006B74656D70657261747572658664646F6F72612F01010164646F6F728669746F705F7368656C66626B67011903E8006573746F636B866A646F6F725F6576656E74612F01010364646F6F7286656661756C74612F0101036B646961676E6F7374696373',1780000000000);
INSERT INTO "boot" VALUES(1,2,4,'[]',1780000240,X'870102666672696467656A6672696467652D73696D65302E312E30674B69746368656E85866B6672696467655F74656D706343656C0110006B74656D70657261747572658664646F6F72612F01010164646F6F728669746F705F7368656C66626B67011903E8006573746F636B866A646F6F725F6576656E74612F01010364646F6F7286656661756C74612F0101036B646961676E6F7374696373',1780000240000);
INSERT INTO "boot" VALUES(1,3,2,'[]',1880000000,X'870103666672696467656A6672696467652D73696D65302E312E30674B69746368656E85866B6672696467655F74656D706343656C0110006B74656D70657261747572658664646F6F72612F01010164646F6F728669746F705F7368656C66626B67011903E8006573746F636B866A646F6F725F6576656E74612F01010364646F6F7286656661756C74612F0101036B646961676E6F7374696373',1780000480000);
INSERT INTO "boot" VALUES(1,4,2,'[]',NULL,NULL,NULL);
INSERT INTO "boot" VALUES(2,1,3,'[[5, 5]]',1780000420,X'870101666672696467656A6672696467652D73696D65302E312E30674B69746368656E82866B6672696467655F74656D706343656C0110006B74656D70657261747572658664646F6F72612F01010164646F6F72',1780000480000);
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
INSERT INTO "bucket" VALUES('cloud','g-0000000000000002',1,'door','15min','product-improvement','door','/','measured',1780000200000,1780001100000,26,13,0,1,1,1,1780000480000);
INSERT INTO "bucket" VALUES('cloud','g-0000000000000002',2,'door','15min','product-improvement','door','/','measured',1780000200000,1780001100000,6,6,1,1,1,1,1780000480000);
CREATE TABLE consent_grant (
    id TEXT PRIMARY KEY,
    record TEXT NOT NULL,                  -- the grant as JSON, as it was agreed to
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER
) WITHOUT ROWID;
INSERT INTO "consent_grant" VALUES('g-0000000000000001','{"category": "temperature", "created_ms": 1780000000000, "devices": ["*"], "expiry_ms": 1811536000000, "granularity": "raw", "hours": null, "id": "g-0000000000000001", "language": "en", "purpose": "product-improvement", "recipient": "manufacturer", "start_ms": 1780000000000, "subject": "Robin", "text": "I agree."}',1780000000000,NULL);
INSERT INTO "consent_grant" VALUES('g-0000000000000002','{"category": "door", "created_ms": 1780000000000, "devices": ["*"], "expiry_ms": 1811536000000, "granularity": "15min", "hours": null, "id": "g-0000000000000002", "language": "en", "purpose": "product-improvement", "recipient": "manufacturer", "start_ms": 1780000000000, "subject": "Robin", "text": "I agree."}',1780000000000,NULL);
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "counter" VALUES('commits',13);
INSERT INTO "counter" VALUES('dead_letters',3);
INSERT INTO "counter" VALUES('dead_letters.bad_frame',1);
INSERT INTO "counter" VALUES('dead_letters.not_of_birth',1);
INSERT INTO "counter" VALUES('dead_letters.unknown_device',1);
INSERT INTO "counter" VALUES('frames_stored',15);
INSERT INTO "counter" VALUES('granted',84);
INSERT INTO "counter" VALUES('payload_bytes',586);
INSERT INTO "counter" VALUES('readings_stored',80);
INSERT INTO "counter" VALUES('values_stored',230);
INSERT INTO "counter" VALUES('withheld',92);
INSERT INTO "counter" VALUES('withheld.before_grant',12);
INSERT INTO "counter" VALUES('withheld.expired',12);
INSERT INTO "counter" VALUES('withheld.no_clock',14);
INSERT INTO "counter" VALUES('withheld.no_grant',54);
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
INSERT INTO "dead_letter" VALUES(1,X'FC94C150BAA93516EB5224B9781A8BA2D9942662A879A7DBA983F7D857D702BA',1780000480000,'hg/1/a0b1c2d3e4f6/up','not_of_birth','its columns or events are not those that the device''s birth names',35,1,1,X'8443A10104A053010102F60019271006491290108068FFD98400488F4C1EA1E82F8E3B');
INSERT INTO "dead_letter" VALUES(2,X'EB3843D79F0F17D3D2F0DB624F2978EF6EA32B0CE9A73421FFA5EA6E52DE6DBE',1780000480000,'hg/1/a0b1c2d3e4f6/up','bad_frame','not CBOR of ours: a length of unknown form, or a number that is not whole',20,1,1,X'8443A10104A044010105FF48F7285A3A731521DA');
INSERT INTO "dead_letter" VALUES(3,X'5FF2F17165A1394B4989F9E69EF5C1978B479634BB93EAF386B3695B880FEBFF',1780000480000,'hg/1/000000000000/up','unknown_device','no device 000000000000 is enrolled; `hearthgate devices add 000000000000` enrols it',4,1,0,X'6A756E6B');
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
INSERT INTO "device" VALUES(1,'a0b1c2d3e4f5',X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F','Kitchen fridge',1780000000000,NULL,7,1,1780000480000);
INSERT INTO "device" VALUES(2,'a0b1c2d3e4f6',X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F','Kitchen fridge',1780000000000,NULL,0,0,1780000480000);
INSERT INTO "device" VALUES(3,'ffffffffffff',X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F','Kitchen fridge',1780000000000,1780000480000,0,0,NULL);
CREATE TABLE frame (
    id INTEGER PRIMARY KEY,
    device_id INTEGER NOT NULL REFERENCES device (id),
    boot INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (device_id, boot, seq)
);
INSERT INTO "frame" VALUES(1,1,1,1,1780000000000,X'8443A10104A053010101F60019271006491290108068FFD984004836B68189300B1FC0');
INSERT INTO "frame" VALUES(2,1,1,2,1780000000000,X'8443A10104A050010102F619D6D88603000103190FA000483B759AF052AE4932');
INSERT INTO "frame" VALUES(3,1,1,4,1780000120000,X'8443A10104A0581B0101041A6A18A5A01A0001D4C019271006491290108068FFD9840048DF4007ADDB5773AA');
INSERT INTO "frame" VALUES(4,1,1,3,1780000120000,X'8443A10104A055010103F619EA6019271006491290108068FFD984004874CC4C384C07CDD0');
INSERT INTO "frame" VALUES(5,1,1,6,1780000240000,X'8443A10104A0581B0101061A6A18A6181A0003A98019271006491290108068FFD9840048DA65638CC69C61C9');
INSERT INTO "frame" VALUES(6,1,2,1,1780000300000,X'8443A10104A0570102011A6A18A5F00019271006491290108068FFD984004853E24106E51EE591');
INSERT INTO "frame" VALUES(7,1,2,2,1780000360000,X'8443A10104A058190102021A6A18A62C19EA6019271006491290108068FFD98400481FE508E4B09ABF26');
INSERT INTO "frame" VALUES(8,1,2,3,1780000420000,X'8443A10104A0581B0102031A6A18A6681A0001D4C019271006491290108068FFD9840048CBF57163DC2A960B');
INSERT INTO "frame" VALUES(9,1,2,4,1780000480000,X'8443A10104A0581B0102041A6A18A6A41A0002BF2019271006491290108068FFD9840048D96B0FE1B5815576');
INSERT INTO "frame" VALUES(10,1,3,1,1780000480000,X'8443A10104A0570103011A700E86000019271006491290108068FFD9840048B42DCB75D09D6D8A');
INSERT INTO "frame" VALUES(11,1,3,2,1780000480000,X'8443A10104A058190103021A386D438019EA6019271006491290108068FFD98400482A34947ABCDD8B34');
INSERT INTO "frame" VALUES(12,1,4,1,1780000480000,X'8443A10104A053010401F60019271006491290108068FFD9840048714E92E5529B4DD1');
INSERT INTO "frame" VALUES(13,1,4,2,1780000480000,X'8443A10104A055010402F619EA6019271006491290108068FFD98400483595B8F92DD1FF49');
INSERT INTO "frame" VALUES(14,2,1,3,1780000480000,X'8443A10104A0540101031A6A18A6E019EA6019271003440A90808048D2D4E6C51BEA4EC3');
INSERT INTO "frame" VALUES(15,2,1,1,1780000480000,X'8443A10104A0540101011A6A18A6B8194E2019271003440A90008048F6E58993B8A791D1');
CREATE TABLE horizon (
    sink TEXT NOT NULL REFERENCES sink (name),
    device_id INTEGER NOT NULL REFERENCES device (id),
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (sink, device_id)
) WITHOUT ROWID;
INSERT INTO "horizon" VALUES('cloud',1,1780000480000);
INSERT INTO "horizon" VALUES('cloud',2,1780000480000);
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
INSERT INTO "outbox" VALUES(1,'cloud','5f60e2d71ff4ca0d87e75b068cedfb24','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000100000,1780000150000,'{"specversion":"1.0","id":"5f60e2d71ff4ca0d87e75b068cedfb24","source":"urn:hearthgate:device:110808e58ec23b1c0cb10e8b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:28:20Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"placed","step_ms":10000,"values":[20,20.0625,20.125,20.1875,20.25,20.3125]}}');
INSERT INTO "outbox" VALUES(2,'cloud','83100dc9e1531cac6cab2f417f762d85','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000160000,1780000210000,'{"specversion":"1.0","id":"83100dc9e1531cac6cab2f417f762d85","source":"urn:hearthgate:device:110808e58ec23b1c0cb10e8b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:29:20Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20,20.0625,20.125,20.1875,20.25,20.3125]}}');
INSERT INTO "outbox" VALUES(3,'cloud','3f2953906ebb68482f028ed48511dd42','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000240000,1780000290000,'{"specversion":"1.0","id":"3f2953906ebb68482f028ed48511dd42","source":"urn:hearthgate:device:110808e58ec23b1c0cb10e8b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:30:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20,20.0625,20.125,20.1875,20.25,20.3125]}}');
INSERT INTO "outbox" VALUES(4,'cloud','db52344f2619a8fb9b04f95526c115b7','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000300000,1780000350000,'{"specversion":"1.0","id":"db52344f2619a8fb9b04f95526c115b7","source":"urn:hearthgate:device:110808e58ec23b1c0cb10e8b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:31:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20,20.0625,20.125,20.1875,20.25,20.3125]}}');
INSERT INTO "outbox" VALUES(5,'cloud','df00ee34344fa8228402222af18fb4ee','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000360000,1780000410000,'{"specversion":"1.0","id":"df00ee34344fa8228402222af18fb4ee","source":"urn:hearthgate:device:110808e58ec23b1c0cb10e8b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:32:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20,20.0625,20.125,20.1875,20.25,20.3125]}}');
INSERT INTO "outbox" VALUES(6,'cloud','c3526b8493e1ac295da597ddf177ef24','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000420000,1780000470000,'{"specversion":"1.0","id":"c3526b8493e1ac295da597ddf177ef24","source":"urn:hearthgate:device:110808e58ec23b1c0cb10e8b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:33:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20,20.0625,20.125,20.1875,20.25,20.3125]}}');
INSERT INTO "outbox" VALUES(7,'cloud','df123c69fe1af96d3d306cb130e37377','g-0000000000000002','a0b1c2d3e4f5','door','product-improvement','15min',0,1780000000000,1780000199999,'{"specversion":"1.0","id":"df123c69fe1af96d3d306cb130e37377","source":"urn:hearthgate:device:110808e58ec23b1c0cb10e8b","type":"io.hearthgate.aggregate.v1","time":"2026-05-28T20:15:00Z","subject":"door","datacontenttype":"application/json","consentgrant":"g-0000000000000002","consentpurpose":"product-improvement","consentgranularity":"15min","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"/","category":"door","time_label":"placed","from":"2026-05-28T20:15:00Z","to":"2026-05-28T20:30:00Z","min":0,"mean":0.5,"max":1,"count":10}}');
INSERT INTO "outbox" VALUES(8,'cloud','98c3f08f2c9abaa9d07b8b418a212060','g-0000000000000001','a0b1c2d3e4f6','temperature','product-improvement','raw',0,1780000440000,1780000460000,'{"specversion":"1.0","id":"98c3f08f2c9abaa9d07b8b418a212060","source":"urn:hearthgate:device:6970f4d8abc1d3bdcae995be","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:34:00Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20,20,20]}}');
INSERT INTO "outbox" VALUES(9,'cloud','dd9f155beb9b899123558688e761cfaa','g-0000000000000001','a0b1c2d3e4f6','temperature','product-improvement','raw',0,1780000480000,1780000500000,'{"specversion":"1.0","id":"dd9f155beb9b899123558688e761cfaa","source":"urn:hearthgate:device:6970f4d8abc1d3bdcae995be","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:34:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20.125,20.125,20.125]}}');
CREATE TABLE parked (
    sink TEXT NOT NULL REFERENCES sink (name),
    frame_id INTEGER NOT NULL REFERENCES frame (id),
    PRIMARY KEY (sink, frame_id)
) WITHOUT ROWID;
INSERT INTO "parked" VALUES('cloud',5);
INSERT INTO "parked" VALUES('cloud',12);
INSERT INTO "parked" VALUES('cloud',13);
CREATE TABLE revision (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "revision" VALUES('devices',4);
INSERT INTO "revision" VALUES('grants',2);
CREATE TABLE sink (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL                -- every frame up to this id was decided on or is parked
) WITHOUT ROWID;
INSERT INTO "sink" VALUES('cloud',15);
INSERT INTO "sink" VALUES('slow',0);
CREATE INDEX dead_letter_whole ON dead_letter (whole, id);
COMMIT;
