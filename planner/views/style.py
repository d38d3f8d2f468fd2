"""The few meanings that text can have in a terminal. Whether there is colour is decided once, by the caller."""

from __future__ import annotations


class Style:
    """Marks text by what it means; leaves it as it is when `color` is off."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def create(self, text: str) -> str:
        return self._mark("32", text)

    def update(self, text: str) -> str:
        return self._mark("33", text)

    def destroy(self, text: str) -> str:
        return self._mark("31", text)

    def dim(self, text: str) -> str:
        return self._mark("2", text)

    def bold(self, text: str) -> str:
        return self._mark("1", text)

    def error(self, text: str) -> str:
        return self._mark("1;31", text)

    def warning(self, text: str) -> str:
        return self._mark("1;33", text)

    def _mark(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text else text
