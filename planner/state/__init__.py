"""
What is recorded, and where. `model` is the artefact; `document` is a whole state as one value, with what each write
means; `store` is what a backend does, `conformance` the suite that every backend passes. `sqlite`
(with the file lock in `lock`, and `rows` for all that keep tables) and `memory` are backends.
"""
