"""pytest-embedded's fixtures (`serial`, `qemu`, `dut`, …), for the folders whose conftest.py takes them by
`globals().update(FIXTURES)`. As a plugin they would be set up for every test there is: pyproject.toml leaves it out.
"""

from __future__ import annotations

from typing import Any

import pytest
from pytest_embedded import plugin


@pytest.fixture(autouse=True)
def count() -> None:
    """One board a test. (Theirs asks for an option that only the plugin has.)"""


FIXTURES: dict[str, Any] = {
    **{name: it for name, it in vars(plugin).items() if isinstance(it, type(plugin.port))},
    "count": count,
}
