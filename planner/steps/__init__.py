"""Plan -> step graph. `graph` is the artefact."""
