"""
The functions of the language, one module per family; `registry` has them all by name, `signature` says what they share.

Heavy libraries are imported by the functions that need them.
"""
