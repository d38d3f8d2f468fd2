"""Artefacts to text, JSON and DOT. Read artefacts, never stages."""
