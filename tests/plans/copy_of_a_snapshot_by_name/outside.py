"""Somebody makes two snapshots of the volume."""

import sqlite3

with sqlite3.connect("sandbox.db") as database:
    for name, created in (("evening", "2026-11-01T20:00:00Z"), ("night", "2026-11-02T02:00:00Z")):
        database.execute(
            "INSERT INTO snapshot (volume, name, size, created) SELECT id, ?, size, ? FROM volume", (name, created)
        )
database.close()
