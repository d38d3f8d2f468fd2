"""Somebody changes all ceilings on the array."""

import sqlite3

with sqlite3.connect("sandbox.db") as database:
    database.execute("UPDATE volume SET max_iops = 900")
database.close()
