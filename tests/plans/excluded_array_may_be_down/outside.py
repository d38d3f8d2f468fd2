"""The array is not there any more."""

from pathlib import Path

Path("west.db").write_text("down")
