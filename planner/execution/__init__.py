"""Runs a step graph: `scheduler` decides, `executor` carries out, `recovery` finds what a killed run did."""
