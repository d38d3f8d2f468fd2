"""Verbs and flags; no decisions."""
