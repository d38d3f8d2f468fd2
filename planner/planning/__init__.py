"""Desired x recorded x actual -> plan. `plan` is the artefact."""
