"""What every test relies on: JAX in double precision and on the CPU, set before it is imported.

Long files come first, too.
"""

import os
from collections import Counter

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")


def pytest_collection_modifyitems(items):
    """Files with slow tests come first: a long file that begins last leaves the other cores idle."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: item.path not in slow)
