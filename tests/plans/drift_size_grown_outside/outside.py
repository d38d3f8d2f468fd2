"""Somebody grows the volume on the array."""

import sqlite3

with sqlite3.connect("sandbox.db") as database:
    database.execute("UPDATE volume SET size = 2 * size")
database.close()
