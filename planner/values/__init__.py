"""Values of the language: types, marks, conversion, canonical JSON. Knows nothing of syntax or resources."""
