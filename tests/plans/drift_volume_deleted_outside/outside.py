"""Somebody deletes the volume."""

import sqlite3

with sqlite3.connect("sandbox.db") as database:
    database.execute("DELETE FROM attachment")
    database.execute("DELETE FROM access")
    database.execute("DELETE FROM volume")
database.close()
