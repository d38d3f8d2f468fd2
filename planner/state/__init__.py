"""
What is recorded, and where. `model` is the artefact; `document` is a whole state as one value, with what each write
means; `store` is what a backend does, `conformance` the suite that every backend passes. Backends are `sqlite` (with
the file lock in `lock`) and `postgres`, which keep tables (`tables`, with their `rows`), and `memory`.
"""
