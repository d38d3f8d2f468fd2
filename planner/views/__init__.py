"""
Artefacts to text, JSON and DOT, for people, for policies and for other programs.

Views read artefacts and call no stage; they return text, or tell a writer that they are given, and never print. What
looks different on a terminal is asked of a `Style`. The command line calls them, and nobody else.
"""
