"""
Source text to syntax tree, and back.

    ast          the tree: the artefact of this room
    parser       makes it, with python-hcl2: `parse_file`, `parse_expression`, `parse_template`
      scanner    writes the text so that python-hcl2 reads it as HCL (masked), and finds broken brackets and strings
      adapter    turns the tree of python-hcl2 into ours
      templates  what stands in quotes and heredocs
      explanation, refusal   words for what is wrong: what the scanner found, and what python-hcl2 refused
    json_syntax  the same trees from JSON: `parse_source` looks at the file's name; json_text reads JSON with positions
    cache        trees kept from one run to the next
    formatter    the canonical layout of a file
    printer      any tree as text

Nothing here knows what a name means: which blocks and arguments there are is for `planner.config` to say.
"""
