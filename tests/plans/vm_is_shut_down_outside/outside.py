"""Somebody shuts the VM down."""

import sqlite3

with sqlite3.connect("sandbox.db") as database:
    database.execute("UPDATE vm SET running_cpus = NULL, running_memory = NULL")
database.close()
