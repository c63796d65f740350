"""A task in a worker process: what is done around `compute` there.

The process may be reused from an earlier sweep, or belong to a cluster: it first finds modules and files
where the sweep does, and checks that they are the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backproof.errors import ResultsError
from backproof.sweeps import modules
from backproof.sweeps.case import Case
from backproof.sweeps.fingerprint import code_digest, deciding_versions, source_digest
from backproof.sweeps.limits import UNLIMITED, Limits, last_words
from backproof.sweeps.listing import Unit
from backproof.sweeps.shards import Packed, packed
from backproof.sweeps.work import compute


@dataclass(frozen=True)
class Origin:
    """Where a sweep was started: the code that is to compute its cells, and where it is found.

    Attributes:
        sources, code: digests of the package's computing code, with its comments and without.
        versions: of the libraries that decide bits.
        folder: the working directory, which relative paths of data start from.
        path: where custom modules are looked for.
    """

    sources: str
    code: str
    versions: Mapping[str, str | None]
    folder: str
    path: tuple[str, ...]

    @classmethod
    def here(cls) -> Origin:
        """That of this process."""
        known = (sys.prefix, sys.base_prefix)
        path = [str(Path(p).absolute()) for p in sys.path if not p.startswith(known)]
        return cls(source_digest(), code_digest(), deciding_versions(), str(Path.cwd()), tuple(path))


def load_computing(more: Callable[[], None] | None = None) -> None:
    """Called in a process before its first task: with this module comes all that cells are computed with."""
    if more is not None:
        more()


def compute_here(units: Sequence[Unit], limits: Limits = UNLIMITED) -> Packed:
    """Compute a task in the sweep's own process."""
    return packed(compute([unit if isinstance(unit, Case) else unit.case() for unit in units], limits))


def compute_in_process(
    units: Sequence[Unit], limits: Limits, origin: Origin, log: Path | None = None
) -> Packed:
    """Compute a task in a process that may die of it; `log` is the file of its last words.

    Raises:
        ResultsError: if the code here is not the code that the cells' ids stand for.
    """
    with last_words(log) as words:
        cases = prepare(origin, units)
        return packed(compute(cases, replace(limits, log=words)))


def compute_on_cluster(units: Sequence[Unit], origin: Origin) -> Packed:
    """Compute a task on a worker of a cluster, on this machine or another.

    Raises:
        ResultsError: if the code there is not the code that the cells' ids stand for.
    """
    from threadpoolctl import threadpool_limits

    cases = prepare(origin, units)
    with threadpool_limits(1):
        return packed(compute(cases))


def prepare(origin: Origin, units: Sequence[Unit]) -> list[Case]:
    """Find modules and files as the sweep does, check that they are the same, and make the cases.

    Raises:
        ResultsError: if this process has another version of the package or of a custom module.
    """
    node = os.uname().nodename
    if source_digest() != origin.sources and code_digest() != origin.code:
        raise ResultsError(f"a worker on {node} has another version of backproof; install the same there")
    for name, wanted in origin.versions.items():
        found = deciding_versions()[name]
        if found != wanted:
            raise ResultsError(f"a worker on {node} has {name} {found}, not {wanted}; bits may differ")
    if Path(origin.folder).is_dir() and Path.cwd() != Path(origin.folder):
        os.chdir(origin.folder)
    sys.path[:] = [*filter(os.path.exists, origin.path), *(p for p in sys.path if p not in origin.path)]
    cases = [unit if isinstance(unit, Case) else unit.case() for unit in units]
    for case in cases:
        if _differing(case):
            modules.forget(target for target, _ in case.code)
            for target in _differing(case):
                raise ResultsError(
                    f"{target}: its module on {node} is not what it was when the sweep began; run it again"
                )
    return cases


def _differing(case: Case) -> list[str]:
    """Targets whose modules are not, in this process, those that the case's id stands for."""
    return [target for target, digest in case.code if modules.imported_digest(target) != digest]
