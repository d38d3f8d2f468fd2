"""
Source text to syntax tree.

`ast` is the artefact; `parser` makes it with python-hcl2. Nothing here knows what a name means.
"""
