"""The running Lunform's version."""

VERSION = "0.1.0"
