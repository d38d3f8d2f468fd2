"""Somebody else's volume, made on the array by hand."""

import sqlite3

with sqlite3.connect("sandbox.db") as database:
    database.execute(
        "INSERT INTO volume (pool, name, size, min_iops, max_iops, burst_iops, metadata)"
        " VALUES ('pool.a', 'legacy', 5368709120, 100, 1000, 2000, '{}')"
    )
database.close()
