"""Somebody takes the disk from the VM."""

import sqlite3

with sqlite3.connect("sandbox.db") as database:
    database.execute("DELETE FROM attachment")
database.close()
