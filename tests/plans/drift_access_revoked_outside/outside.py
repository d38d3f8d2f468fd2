"""Somebody takes the disk and the access away."""

import sqlite3

with sqlite3.connect("sandbox.db") as database:
    database.execute("DELETE FROM attachment")
    database.execute("DELETE FROM access")
database.close()
