"""Somebody deletes the VM, and with it what it had of disks."""

import sqlite3

with sqlite3.connect("sandbox.db") as database:
    database.execute("DELETE FROM vm")
database.close()
