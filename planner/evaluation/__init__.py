"""Declared configuration to resource instances with values. `resource_graph` is the artefact."""
