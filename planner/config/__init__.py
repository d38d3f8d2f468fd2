"""Syntax trees to declared configuration: which blocks there are, in which module. `model` is the artefact."""
