"""What `import backproof` and a first check load: NumPy and little else."""

import subprocess
import sys
from functools import cache

import pytest

STATEMENTS = {
    "import": "import backproof",
    "check": (
        "import numpy as np, backproof;"
        "backproof.check(lambda w: (float((w**2).sum()), 2 * w), np.linspace(-1, 1, 5)).assert_agrees()"
    ),
}
MOST = {"import": 0, "check": 150}
"""So many modules more than `import numpy` has; a check had 124 when this was written, and 300 with Hydra."""

HEAVY = ("hydra", "omegaconf", "pandas", "matplotlib", "seaborn", "rich", "joblib", "sympy", "pyarrow")


@cache
def loaded_by(statement: str) -> set[str]:
    command = [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_heavy_library_is_loaded(name):
    assert not loaded_by(STATEMENTS[name]) & set(HEAVY)


@pytest.mark.parametrize("name", STATEMENTS)
def test_few_modules_are_loaded(name):
    assert len(loaded_by(STATEMENTS[name])) <= len(loaded_by("import numpy")) + MOST[name]


def test_the_counting_would_notice():
    assert "omegaconf" in loaded_by("import backproof.session")


@pytest.mark.parametrize("module", ["backproof.interfaces.cli", "backproof.interfaces.arguments"])
def test_the_command_line_starts_without_numpy(module):
    assert not loaded_by(f"import {module}") & {"numpy", *HEAVY}


@pytest.mark.parametrize("statement", ["import backproof", "import backproof.torch", "import backproof.jax"])
def test_pytorch_and_jax_are_loaded_when_they_are_needed(statement):
    assert not loaded_by(statement) & {"torch", "jax", *HEAVY}


def test_a_worker_loads_what_it_computes_with():
    loaded = loaded_by("import backproof.sweeps.workers")
    assert not loaded & {"scipy", *HEAVY}
    assert {"backproof.verdicts.network", "backproof.training.run"} <= loaded
    of_functions = ("targets.function", "verdicts.function", "sweeps.subject")  # which networks do without
    assert not loaded & {f"backproof.{name}" for name in of_functions}
