"""
What is recorded, and where. `model` is the artefact, `store` what a backend does, `conformance` the suite that every
backend passes; `sqlite` (with the file lock in `lock`) and `memory` are backends.
"""
