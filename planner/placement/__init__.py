"""Demands x candidates -> placement. `model` is the artefact; filters refuse, weighers prefer, `allocator` decides."""
