"""
Source text to syntax tree.

`ast` is the artefact; `parser` makes it with python-hcl2, and `json_syntax` of the same in JSON. Nothing here knows
what a name means.
"""
