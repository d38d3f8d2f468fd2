-- A file of version 1, as `sqlite3.Connection.iterdump` writes it.
PRAGMA application_id = 1280659027;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE access (
    volume INTEGER NOT NULL REFERENCES volume,
    endpoint TEXT NOT NULL,     -- initiator name, or address of a host without one
    PRIMARY KEY (volume, endpoint)
) WITHOUT ROWID;
INSERT INTO "access" VALUES(1,'iqn.1993-08.org.debian:01:kvm1');
INSERT INTO "access" VALUES(2,'iqn.1993-08.org.debian:01:kvm1');
CREATE TABLE array (identity TEXT NOT NULL);
INSERT INTO "array" VALUES('f83575d1d9ef');
CREATE TABLE attachment (
    host TEXT NOT NULL,
    vm TEXT NOT NULL,
    device TEXT NOT NULL,
    volume INTEGER NOT NULL REFERENCES volume,
    endpoint TEXT NOT NULL,     -- as which the host is logged in
    serial TEXT,
    intent TEXT,
    size INTEGER NOT NULL,      -- as the VM sees it: the volume may have grown since
    max_iops INTEGER,           -- held by the hypervisor
    burst_iops INTEGER,
    read_only INTEGER NOT NULL,
    PRIMARY KEY (host, vm, device),
    UNIQUE (host, vm, intent)
) WITHOUT ROWID;
INSERT INTO "attachment" VALUES('10.0.0.11','db-01','vda',1,'iqn.1993-08.org.debian:01:kvm1','s1','aaaaaaaaaaaaaaaa',1073741824,200,300,0);
CREATE TABLE fault (
    rule TEXT PRIMARY KEY,
    hits INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request TEXT NOT NULL,
    due REAL NOT NULL,          -- seconds since the epoch
    answer TEXT                 -- NULL while it runs
);
INSERT INTO "job" VALUES(1,'{"$": "UpdateQos", "pool": {"$": "PoolSpec", "address": "pool.fast", "arguments": {"iops": 1000}}, "volume": "vol-2", "qos": {"$": "Qos", "min_iops": 1, "max_iops": 2, "burst_iops": 3}}',4000000000.0,NULL);
CREATE TABLE pool (
    name TEXT PRIMARY KEY,
    used INTEGER NOT NULL,      -- bytes: the sum of its volumes' sizes
    floors INTEGER NOT NULL     -- the sum of their min_iops
) WITHOUT ROWID;
INSERT INTO "pool" VALUES('pool.fast',2147483648,100);
CREATE TABLE volume (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice
    pool TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    min_iops INTEGER,           -- all three or none
    max_iops INTEGER,
    burst_iops INTEGER,
    lineage TEXT,               -- the owner: these three or none
    address TEXT,
    intent TEXT UNIQUE,
    metadata TEXT NOT NULL DEFAULT '{}',
    chap_digest TEXT,           -- of the CHAP secret, which is itself nowhere in the file
    UNIQUE (pool, name)
);
INSERT INTO "volume" VALUES(1,'pool.fast','v1',1073741824,100,200,300,'lineage','volume.v1','1111111111111111','{}',NULL);
INSERT INTO "volume" VALUES(2,'pool.fast','v2',1073741824,NULL,NULL,NULL,'lineage','volume.v2','2222222222222222','{}',NULL);
CREATE INDEX attachment_volume ON attachment (volume);
CREATE INDEX job_due ON job (due) WHERE answer IS NULL;
CREATE TRIGGER volume_made AFTER INSERT ON volume BEGIN
    INSERT INTO pool VALUES (new.pool, new.size, coalesce(new.min_iops, 0))
    ON CONFLICT (name) DO UPDATE SET used = used + excluded.used, floors = floors + excluded.floors;
END;
CREATE TRIGGER volume_changed AFTER UPDATE OF size, min_iops ON volume BEGIN
    UPDATE pool SET
        used = used + new.size - old.size,
        floors = floors + coalesce(new.min_iops, 0) - coalesce(old.min_iops, 0)
    WHERE name = new.pool;
END;
CREATE TRIGGER volume_deleted AFTER DELETE ON volume BEGIN
    UPDATE pool SET used = used - old.size, floors = floors - coalesce(old.min_iops, 0) WHERE name = old.pool;
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('volume',3);
INSERT INTO "sqlite_sequence" VALUES('job',1);
COMMIT;
