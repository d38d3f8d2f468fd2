"""What is recorded, and where. `model` is the artefact; a module per backend."""
