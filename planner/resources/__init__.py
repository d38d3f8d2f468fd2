"""The resource types: their arguments, computed attributes, and which changes force a replacement."""
