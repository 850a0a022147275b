PRAGMA application_id=1212629332;
PRAGMA user_version=4;
BEGIN TRANSACTION;
CREATE TABLE "boot" (
    device_id INTEGER NOT NULL REFERENCES device (id),
    boot INTEGER NOT NULL,
    birth BLOB NOT NULL,                   -- payload of the sealed birth
    birth_ms INTEGER NOT NULL,
    PRIMARY KEY (device_id, boot)
) WITHOUT ROWID;
INSERT INTO "boot" VALUES(1,1,X'870101666672696467656A6672696467652D73696D65302E312E30674B69746368656E85866B6672696467655F74656D706343656C0110006B74656D70657261747572658664646F6F72612F01010164646F6F728669746F705F7368656C66626B67011903E8006573746F636B866A646F6F725F6576656E74612F01010364646F6F7286656661756C74612F0101036B646961676E6F7374696373',1780000000000);
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
, paused_ms INTEGER, resumed_ms INTEGER) WITHOUT ROWID;
INSERT INTO "consent_grant" VALUES('g-0000000000000001','{"category": "temperature", "created_ms": 1780000300000, "devices": ["*"], "expiry_ms": 1811536000000, "explicit": false, "granularity": "raw", "hours": null, "id": "g-0000000000000001", "language": "en", "purpose": "product-improvement", "recipient": "manufacturer", "since_ms": null, "start_ms": 1780000000000, "subject": "Robin", "text": "I still agree.", "version": 2}',1780000000000,NULL,NULL,NULL);
INSERT INTO "consent_grant" VALUES('g-0000000000000002','{"category": "door", "created_ms": 1780000000000, "devices": ["*"], "expiry_ms": 1811536000000, "explicit": false, "granularity": "raw", "hours": null, "id": "g-0000000000000002", "language": "en", "purpose": "product-improvement", "recipient": "manufacturer", "since_ms": null, "start_ms": 1780000000000, "subject": "Robin", "text": "I agree.", "version": 1}',1780000000000,NULL,NULL,NULL);
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "counter" VALUES('cloud_events_sent',3);
INSERT INTO "counter" VALUES('cloud_events_sent.g-0000000000000001',2);
INSERT INTO "counter" VALUES('cloud_events_sent.g-0000000000000002',1);
INSERT INTO "counter" VALUES('commits',4);
INSERT INTO "counter" VALUES('dead_letters',1);
INSERT INTO "counter" VALUES('dead_letters.bad_frame',1);
INSERT INTO "counter" VALUES('frames_stored',7);
INSERT INTO "counter" VALUES('granted',60);
INSERT INTO "counter" VALUES('payload_bytes',276);
INSERT INTO "counter" VALUES('readings_stored',34);
INSERT INTO "counter" VALUES('values_stored',100);
INSERT INTO "counter" VALUES('withheld',30);
INSERT INTO "counter" VALUES('withheld.no_grant',30);
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
INSERT INTO "dead_letter" VALUES(1,X'13AF4DD3965F403E97C4D0736FF6287D3B45D64E815B16BD104BD043D2E2A4E3',1780000000000,'hg/1/a0b1c2d3e4f5/up','bad_frame','a message begins with its version',23,1,0,X'8443A10104A04772756262697368483D4D28E5FE658575');
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
, quiet INTEGER NOT NULL DEFAULT 0);
INSERT INTO "device" VALUES(1,'a0b1c2d3e4f5',X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F','Kitchen fridge',1780000000000,NULL,0,1,1780000000000,0);
INSERT INTO "device" VALUES(2,'ffffffffffff',X'0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F20','Kitchen fridge',1780000000000,NULL,0,0,NULL,0);
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
INSERT INTO "disclosure" VALUES('manufacturer','g-0000000000000001','a0b1c2d3e4f5',0,1780000000000,1780000110000,2);
INSERT INTO "disclosure" VALUES('manufacturer','g-0000000000000002','a0b1c2d3e4f5',0,1780000000000,1780000050000,1);
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
INSERT INTO "frame" VALUES(1,1,1,1,0,1780000000000,1780000000000,0,NULL,X'8443A10104A058190101011A6A18A50019EA6019271006491290108068FFD984004880C64F0756525364');
INSERT INTO "frame" VALUES(2,1,1,2,1,1780000000000,1780000060000,0,NULL,X'8443A10104A0581B0101021A6A18A53C1A0001D4C019271006491290108068FFD9840048887DD77FE9A03D1A');
INSERT INTO "frame" VALUES(3,1,1,3,1,1780000000000,1780000120000,0,NULL,X'8443A10104A0581B0101031A6A18A5781A0002BF2019271006491290108068FFD9840048B2A1D70C0BDA23D0');
INSERT INTO "frame" VALUES(4,1,1,4,1,1780000000000,1780000180000,0,NULL,X'8443A10104A0581B0101041A6A18A5B41A0003A98019271006491290108068FFD9840048982B8B78A63D2BF5');
INSERT INTO "frame" VALUES(5,2,1,1,0,1780000000000,NULL,2,NULL,X'8443A10104A050010101F6001927100346128B000654804867B88D4C55503818');
INSERT INTO "frame" VALUES(6,2,1,3,1,1780000000000,NULL,2,NULL,X'8443A10104A04D010103F61A00015F908303000148BC4496376DEB987E');
INSERT INTO "frame" VALUES(7,1,1,5,3,1780000300000,1780000300000,0,NULL,X'8443A10104A058180101051A6A18A62C1A000493E01927100646129040065FC048769B74BBEA07EFD7');
CREATE TABLE grant_version (
    grant_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    record TEXT NOT NULL,                  -- the grant as JSON, as it was agreed to
    PRIMARY KEY (grant_id, version)
) WITHOUT ROWID;
INSERT INTO "grant_version" VALUES('g-0000000000000001',1,'{"category": "temperature", "created_ms": 1780000000000, "devices": ["*"], "expiry_ms": 1811536000000, "explicit": false, "granularity": "raw", "hours": null, "id": "g-0000000000000001", "language": "en", "purpose": "product-improvement", "recipient": "manufacturer", "since_ms": null, "start_ms": 1780000000000, "subject": "Robin", "text": "I agree.", "version": 1}');
INSERT INTO "grant_version" VALUES('g-0000000000000001',2,'{"category": "temperature", "created_ms": 1780000300000, "devices": ["*"], "expiry_ms": 1811536000000, "explicit": false, "granularity": "raw", "hours": null, "id": "g-0000000000000001", "language": "en", "purpose": "product-improvement", "recipient": "manufacturer", "since_ms": null, "start_ms": 1780000000000, "subject": "Robin", "text": "I still agree.", "version": 2}');
INSERT INTO "grant_version" VALUES('g-0000000000000002',1,'{"category": "door", "created_ms": 1780000000000, "devices": ["*"], "expiry_ms": 1811536000000, "explicit": false, "granularity": "raw", "hours": null, "id": "g-0000000000000002", "language": "en", "purpose": "product-improvement", "recipient": "manufacturer", "since_ms": null, "start_ms": 1780000000000, "subject": "Robin", "text": "I agree.", "version": 1}');
CREATE TABLE horizon (
    sink TEXT NOT NULL REFERENCES sink (name),
    device_id INTEGER NOT NULL REFERENCES device (id),
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (sink, device_id)
) WITHOUT ROWID;
CREATE TABLE ledger (
    n INTEGER PRIMARY KEY,                 -- 1, 2, 3 …
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    entry BLOB NOT NULL,                   -- canonical JSON; holds n, at_ms and kind again
    prev BLOB NOT NULL,
    hash BLOB NOT NULL                     -- SHA-256 of prev and entry
);
INSERT INTO "ledger" VALUES(1,1780000000000,'person',X'7B2261745F6D73223A313738303030303030303030302C226B696E64223A22706572736F6E222C226E223A312C22706572736F6E223A2231383731356433393432373562333835222C22726F6C65223A226164756C74227D',X'0000000000000000000000000000000000000000000000000000000000000000',X'38BB723076AC3A5022D2C47E887ED5EF207A254E807456DB08BBE3800A080AAC');
INSERT INTO "ledger" VALUES(2,1780000000000,'grant',X'7B2261745F6D73223A313738303030303030303030302C226279223A2231383731356433393432373562333835222C2263617465676F7279223A2274656D7065726174757265222C2264657669636573223A22616C6C222C226578706972795F6D73223A313831313533363030303030302C226578706C69636974223A66616C73652C2266726F6D5F6D73223A313738303030303030303030302C226772616E74223A22672D30303030303030303030303030303031222C226772616E756C6172697479223A22726177222C226B696E64223A226772616E74222C226C616E6775616765223A22656E222C226E223A322C22707572706F7365223A2270726F647563742D696D70726F76656D656E74222C22726563697069656E74223A226D616E756661637475726572222C22746578745F736861323536223A2238323666663064616236343961393766666464373737396133333261636361666233356363313631303132323533613139333833646231393238396436653032222C2276657273696F6E223A317D',X'38BB723076AC3A5022D2C47E887ED5EF207A254E807456DB08BBE3800A080AAC',X'2EC2356D2572BC4E2097967AFC1C9A3EA5BE5CFF2F5DDD262588FC40CEB1F111');
INSERT INTO "ledger" VALUES(3,1780000000000,'grant',X'7B2261745F6D73223A313738303030303030303030302C226279223A2231383731356433393432373562333835222C2263617465676F7279223A22646F6F72222C2264657669636573223A22616C6C222C226578706972795F6D73223A313831313533363030303030302C226578706C69636974223A66616C73652C2266726F6D5F6D73223A313738303030303030303030302C226772616E74223A22672D30303030303030303030303030303032222C226772616E756C6172697479223A22726177222C226B696E64223A226772616E74222C226C616E6775616765223A22656E222C226E223A332C22707572706F7365223A2270726F647563742D696D70726F76656D656E74222C22726563697069656E74223A226D616E756661637475726572222C22746578745F736861323536223A2238323666663064616236343961393766666464373737396133333261636361666233356363313631303132323533613139333833646231393238396436653032222C2276657273696F6E223A317D',X'2EC2356D2572BC4E2097967AFC1C9A3EA5BE5CFF2F5DDD262588FC40CEB1F111',X'17CCF64AEE93E188847B7E7AC4B5E172743C417AD3EA2ACAE3098A5470F00954');
INSERT INTO "ledger" VALUES(4,1780000300000,'sending',X'7B2261745F6D73223A313738303030303330303030302C22626F64795F736861323536223A2266306663663331386636366533353462656634663561653835643836663833613162336666386630613036386264323363373232653930313736623165323939222C226279746573223A313638392C226576656E7473223A332C226772616E7473223A5B7B2263617465676F7279223A2274656D7065726174757265222C226576656E7473223A322C2266697273745F6D73223A313738303030303030303030302C226772616E74223A22672D30303030303030303030303030303031222C226C6173745F6D73223A313738303030303131303030302C2276657273696F6E223A317D2C7B2263617465676F7279223A22646F6F72222C226576656E7473223A312C2266697273745F6D73223A313738303030303030303030302C226772616E74223A22672D30303030303030303030303030303032222C226C6173745F6D73223A313738303030303035303030302C2276657273696F6E223A317D5D2C226B696E64223A2273656E64696E67222C226E223A342C22726563697069656E74223A226D616E756661637475726572222C2273696E6B223A22636C6F7564227D',X'17CCF64AEE93E188847B7E7AC4B5E172743C417AD3EA2ACAE3098A5470F00954',X'48635D5DEE9B9BE312E7FCDB78AE9666DFEA29B4EDB779F566EC87CAC69AE2E7');
INSERT INTO "ledger" VALUES(5,1780000300000,'delivered',X'7B2261745F6D73223A313738303030303330303030302C226576656E7473223A332C226B696E64223A2264656C697665726564222C226E223A352C2273656E64696E67223A347D',X'48635D5DEE9B9BE312E7FCDB78AE9666DFEA29B4EDB779F566EC87CAC69AE2E7',X'AF734A431AFD30B4CC0BBB8BBD13C673F0B7BCDF16E8EBE8BF04964D309C8DFC');
INSERT INTO "ledger" VALUES(6,1780000300000,'change',X'7B2261745F6D73223A313738303030303330303030302C226279223A2231383731356433393432373562333835222C2263617465676F7279223A2274656D7065726174757265222C2264657669636573223A22616C6C222C2264726F70706564223A302C226578706972795F6D73223A313831313533363030303030302C226578706C69636974223A66616C73652C2266726F6D5F6D73223A313738303030303030303030302C226772616E74223A22672D30303030303030303030303030303031222C226772616E756C6172697479223A22726177222C226B696E64223A226368616E6765222C226C616E6775616765223A22656E222C226E223A362C22707572706F7365223A2270726F647563742D696D70726F76656D656E74222C22726563697069656E74223A226D616E756661637475726572222C22746578745F736861323536223A2261623033353135303464663237656631313364613836663931343639326562376366333139373733363236373231613634386631613263636561373135346663222C2276657273696F6E223A327D',X'AF734A431AFD30B4CC0BBB8BBD13C673F0B7BCDF16E8EBE8BF04964D309C8DFC',X'0C29DFB5F79D526242592FFBA67352F313610C8A9522701609E110823EFF1135');
CREATE TABLE local_use (
    device TEXT NOT NULL,                  -- 12 hex digits, or *
    category TEXT NOT NULL,
    mode TEXT NOT NULL,                    -- keep, granted, unmeasured
    PRIMARY KEY (device, category)
) WITHOUT ROWID;
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('household_secret',X'3144B0342184F640ECB826150A01B4845ED14AB697A899EE5CA449F40E4E23B5');
INSERT INTO "meta" VALUES('saved_id',7);
CREATE TABLE notice (
    id TEXT PRIMARY KEY,
    recipient TEXT NOT NULL,
    grant_id TEXT,                         -- NULL: of a device or person, under whichever grant
    reason TEXT NOT NULL,                  -- revoked, erased
    created_ms INTEGER NOT NULL,
    body TEXT NOT NULL                     -- signed JSON: the bytes that are sent, and sent again
) WITHOUT ROWID;
CREATE TABLE notice_sink (
    notice_id TEXT NOT NULL REFERENCES notice (id),
    sink TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    acked_ms INTEGER,
    PRIMARY KEY (notice_id, sink)
) WITHOUT ROWID;
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
    body TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 1, epoch INTEGER NOT NULL DEFAULT 0,
    UNIQUE (sink, event_id)
);
INSERT INTO "outbox" VALUES(4,'cloud','90c4a9eb8210cf388051edc8b20ceb3d','g-0000000000000002','a0b1c2d3e4f5','door','product-improvement','raw',0,1780000060000,1780000110000,'{"specversion":"1.0","id":"90c4a9eb8210cf388051edc8b20ceb3d","source":"urn:hearthgate:device:515bc63e2218548458256d2b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:27:40Z","subject":"door","datacontenttype":"application/json","consentgrant":"g-0000000000000002","consentversion":1,"consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"/","category":"door","time_label":"measured","step_ms":10000,"values":[0,1,0,1,0,1]}}',1,0);
INSERT INTO "outbox" VALUES(5,'cloud','41b52ac4b161c80a27e8e5193cbfa17f','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000120000,1780000170000,'{"specversion":"1.0","id":"41b52ac4b161c80a27e8e5193cbfa17f","source":"urn:hearthgate:device:515bc63e2218548458256d2b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:28:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentversion":1,"consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20,20.0625,20.125,20.1875,20.25,20.3125]}}',1,0);
INSERT INTO "outbox" VALUES(6,'cloud','14606fc65073e02d92cf81324541dc2e','g-0000000000000002','a0b1c2d3e4f5','door','product-improvement','raw',0,1780000120000,1780000170000,'{"specversion":"1.0","id":"14606fc65073e02d92cf81324541dc2e","source":"urn:hearthgate:device:515bc63e2218548458256d2b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:28:40Z","subject":"door","datacontenttype":"application/json","consentgrant":"g-0000000000000002","consentversion":1,"consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"/","category":"door","time_label":"measured","step_ms":10000,"values":[0,1,0,1,0,1]}}',1,0);
INSERT INTO "outbox" VALUES(7,'cloud','ee5b3784c2587077fca47412caae62ec','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000180000,1780000230000,'{"specversion":"1.0","id":"ee5b3784c2587077fca47412caae62ec","source":"urn:hearthgate:device:515bc63e2218548458256d2b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:29:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentversion":1,"consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20,20.0625,20.125,20.1875,20.25,20.3125]}}',1,0);
INSERT INTO "outbox" VALUES(8,'cloud','cc92b74fe38809b43266702ea04c89bd','g-0000000000000002','a0b1c2d3e4f5','door','product-improvement','raw',0,1780000180000,1780000230000,'{"specversion":"1.0","id":"cc92b74fe38809b43266702ea04c89bd","source":"urn:hearthgate:device:515bc63e2218548458256d2b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:29:40Z","subject":"door","datacontenttype":"application/json","consentgrant":"g-0000000000000002","consentversion":1,"consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"/","category":"door","time_label":"measured","step_ms":10000,"values":[0,1,0,1,0,1]}}',1,0);
INSERT INTO "outbox" VALUES(9,'cloud','e5e8b275efb0d7553ff92bc715de25fa','g-0000000000000001','a0b1c2d3e4f5','temperature','product-improvement','raw',0,1780000300000,1780000350000,'{"specversion":"1.0","id":"e5e8b275efb0d7553ff92bc715de25fa","source":"urn:hearthgate:device:515bc63e2218548458256d2b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:31:40Z","subject":"fridge_temp","datacontenttype":"application/json","consentgrant":"g-0000000000000001","consentversion":2,"consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"Cel","category":"temperature","time_label":"measured","step_ms":10000,"values":[20.0625,20.0625,20.0625,20.0625,20.0625,20.0625]}}',2,0);
INSERT INTO "outbox" VALUES(10,'cloud','5f6c8665bd98ecbc76cb23903da78557','g-0000000000000002','a0b1c2d3e4f5','door','product-improvement','raw',0,1780000300000,1780000350000,'{"specversion":"1.0","id":"5f6c8665bd98ecbc76cb23903da78557","source":"urn:hearthgate:device:515bc63e2218548458256d2b","type":"io.hearthgate.readings.v1","time":"2026-05-28T20:31:40Z","subject":"door","datacontenttype":"application/json","consentgrant":"g-0000000000000002","consentversion":1,"consentpurpose":"product-improvement","consentgranularity":"raw","consentexpiry":"2027-05-28T20:26:40Z","consentrecipient":"manufacturer","data":{"unit":"/","category":"door","time_label":"measured","step_ms":10000,"values":[0,0,0,0,0,0]}}',1,0);
CREATE TABLE "parked" (
    sink TEXT NOT NULL REFERENCES sink (name),
    frame_id INTEGER NOT NULL,
    PRIMARY KEY (sink, frame_id)
) WITHOUT ROWID;
INSERT INTO "parked" VALUES('cloud',5);
INSERT INTO "parked" VALUES('cloud',6);
CREATE TABLE person (
    name TEXT PRIMARY KEY,                 -- as grants say it in their subject
    role TEXT NOT NULL,                    -- adult or child
    id TEXT NOT NULL UNIQUE                -- random: the ledger says this, so that a name can go and the chain stays
) WITHOUT ROWID;
INSERT INTO "person" VALUES('Robin','adult','18715d394275b385');
CREATE TABLE pseudonym (
    recipient TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE rekey (
    device_id INTEGER PRIMARY KEY REFERENCES device (id) ON DELETE CASCADE,
    key BLOB NOT NULL,                     -- the next one
    follows BLOB NOT NULL,                 -- the one that it follows: a device that was enrolled anew has another
    begun_ms INTEGER NOT NULL,
    heard INTEGER NOT NULL DEFAULT 0       -- messages under the old key since then
);
INSERT INTO "rekey" VALUES(1,X'98006B28713BC9278C0CE4CB91841C1AA4984B82C5AA7C7E154164A6C2FCC728',X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F',1780000300000,0);
CREATE TABLE revision (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "revision" VALUES('devices',3);
INSERT INTO "revision" VALUES('grants',3);
CREATE TABLE sink (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL                -- every frame up to this id was decided on or is parked
) WITHOUT ROWID;
INSERT INTO "sink" VALUES('cloud',7);
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
INSERT INTO "window" VALUES(0,1,1,5,NULL,0,7,NULL,1780000000,1780000000000,1780000350000,NULL,1780000300000);
INSERT INTO "window" VALUES(0,2,1,1,'[[3, 3]]',0,6,5,NULL,NULL,NULL,NULL,1780000000000);
CREATE INDEX dead_letter_whole ON dead_letter (whole, id);
CREATE INDEX ledger_acts ON ledger (n) WHERE kind NOT IN ('sending', 'delivered', 'refused', 'aborted');
CREATE INDEX notice_waiting ON notice_sink (sink) WHERE acked_ms IS NULL;
COMMIT;
