"""What every test relies on: JAX in double precision and on the CPU, set before it is imported.

Long files come first, too, and folders that a test adds to the path of modules are not there for the next.
"""

import gc
import os
import sys
from collections import Counter

import pytest

os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# What is imported and collected lives until the end. The collector of reference cycles would look through all
# of these objects again and again, which took a third of the time of collecting.
gc.disable()


def pytest_collection_finish():
    """From here on the collector looks only at what the tests themselves make."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


MANY = 300
"""So many tests of a file take long, however quick each is."""


def pytest_collection_modifyitems(items):
    """Files with slow or many tests come first: a long file that begins last leaves the other cores idle."""
    count = Counter(item.path for item in items)
    long = {item.path for item in items if item.get_closest_marker("slow") or count[item.path] >= MANY}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(autouse=True, scope="session")
def _composed_once():
    """What the package's own files compose to is composed once: it takes a tenth of a second a command.

    Files of the user's are read each time, as are variables of the environment.
    """
    from backproof.interfaces import help as helping
    from backproof.sweeps.composition import request
    from backproof.sweeps.composition.composer import Composer

    kept = {}

    def composer(config_name, overrides=(), searchpath=()):
        key = (config_name, *overrides)
        if searchpath or any(mark in word for word in key for mark in ("searchpath", "${")):
            return Composer(config_name, overrides, searchpath)
        if key not in kept:
            kept[key] = Composer(config_name, overrides)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request, "Composer", composer)
        patch.setattr(helping, "Composer", composer)
        yield


@pytest.fixture(autouse=True)
def _path_of_modules():
    """As it was: the program and the API add the folder that they are started in."""
    before = list(sys.path)
    yield
    sys.path[:] = before
