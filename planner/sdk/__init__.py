"""All that a provider author imports."""
