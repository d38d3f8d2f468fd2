"""The language's functions, a module per family."""
