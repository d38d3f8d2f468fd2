"""Nobody sees what was changed outside: no array is asked."""

import sqlite3

with sqlite3.connect("sandbox.db") as database:
    database.execute("UPDATE volume SET size = size * 2")
database.close()
