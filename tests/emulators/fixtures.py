"""The emulated Element cluster as fixtures, for tests in any folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulators.running import Element, running_element


@pytest.fixture(scope="session")
def element_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Element]:
    with running_element(tmp_path_factory.mktemp("element")) as element:
        yield element


@pytest.fixture
def element(element_process: Element) -> Element:
    """An empty cluster."""
    element_process.clear()
    return element_process
