"""
Source text to syntax tree, and back.

    ast          the tree: the artefact of this room
    parser       makes it, with python-hcl2: `parse_file`, `parse_expression`, `parse_template`
      scanner    writes the text so that python-hcl2 reads it as HCL, and finds broken brackets and strings
      templates  what stands in quotes and heredocs
      explanation, refusal   words for what is wrong: what the scanner found, and what python-hcl2 refused
    cache        trees kept from one run to the next
    formatter    the canonical layout of a file
    printer      any tree as text

Nothing here knows what a name means: which blocks and arguments there are is for `planner.config` to say.
"""
