"""What every test relies on: JAX in double precision and on the CPU, set before it is imported.

Long files come first, too, and folders that a test adds to the path of modules are not there for the next.
"""

import os
import sys
from collections import Counter

import pytest

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")


def pytest_collection_modifyitems(items):
    """Files with slow tests come first: a long file that begins last leaves the other cores idle."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _path_of_modules():
    """As it was: the program and the API add the folder that they are started in."""
    before = list(sys.path)
    yield
    sys.path[:] = before
