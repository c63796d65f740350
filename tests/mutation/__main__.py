"""Do the tests notice small changes of the numerical code? A random sample of mutants, each tested.

    .venv/bin/pip install -e '.[test,mutation]'
    .venv/bin/python tests/mutation --count 150 --seed 0 --out mutants.jsonl

cosmic-ray makes the mutants: its operators change a source text and leave it to the caller what is run, while
mutmut runs a project's tests its own way and draws no sample.
The sample is drawn over the mutants of `network`, `estimates` and `verdicts`, or of the one that `--area`
names, all equally likely. A first run of an area's quick tests records which tests execute which line, and
how long each takes. A mutant then runs the tests that execute its line, the shortest first, until one fails.
What none notices also runs others that execute something of its module, since a value in a cache is computed
in one test and used in others, and since a limit on an expression's effort takes the place of the tracer; and
those that execute nothing, but look at what modules hold. Of all these it runs the shortest, a minute in all,
which is most of the tests though not most of their time. Each mutant has a process, a limit of memory and a
limit of time of its own; to exceed either counts as noticed. Results and records stay beside `--out`: the
same command goes on where it was stopped, as long as sources and tests are the same.

`--only FILE` runs the mutants again that survive in a file which an earlier run wrote. `equivalent.toml`
beside this file names the survivors that no test can notice, each with the reason; they count apart.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from importlib import import_module
from itertools import accumulate
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTIONS = [f"tests/api/test_{name}.py" for name in ("api", "derivatives", "domain", "many_points")]
SWEPT = [f"tests/sweeps/test_{name}.py" for name in ("cures", "mutant_cells", "screened")]

AREAS = {
    "network": ["tests/network"],
    "estimates": ["tests/estimates", *FUNCTIONS],
    "verdicts": ["tests/verdicts", "tests/held_out", *FUNCTIONS, "tests/api/test_low_precision.py", *SWEPT],
}
"""Packages that are changed, and the files and folders whose quick tests are to notice it."""

OPERATORS = [
    f"core/{name}"
    for name in (
        *(
            f"ReplaceBinaryOperator_{pair}"
            for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Pow_Mul")
        ),
        *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt")),
        *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_Gt", "LtE_GtE", "Gt_Lt", "GtE_LtE")),
        *(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")),
        *(
            f"ReplaceUnaryOperator_{pair}"
            for pair in ("USub_UAdd", "Delete_USub", "Delete_Not", "Delete_Invert")
        ),
        *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
        *("NumberReplacer", "ZeroIterationForLoop", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak"),
    )
]
"""One opposite of each operation. The others (a sum made a shift, say) raise at once, and would flatter."""

MEMORY = 6 << 30  # bytes of addresses; a test run takes up to 3
OTHERS = 60  # seconds of tests that do not execute the changed line


@dataclass(frozen=True)
class Mutant:
    """One change: the operator's occurrence in a module, and the line that it changes."""

    module: str
    operator: str
    occurrence: int
    line: int
    was: str
    became: str

    @property
    def area(self) -> str:
        return self.module.split("/")[2]

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.was}  ->  {self.became}"


def positions(module):
    """Every (operator, occurrence) of a module."""
    from cosmic_ray.ast import Visitor, get_ast
    from cosmic_ray.plugins import get_operator

    class Counted(Visitor):
        def __init__(self, operator):
            self.operator, self.count = operator, 0

        def visit(self, node):
            self.count += len(list(self.operator.mutation_positions(node)))
            return node

    tree = get_ast((ROOT / module).read_text())
    for name in OPERATORS:
        counted = Counted(get_operator(name)())
        counted.walk(tree)
        yield from ((name, occurrence) for occurrence in range(counted.count))


def mutated(module, operator, occurrence):
    """A module's text after one change."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    return mutate_code((ROOT / module).read_text(), get_operator(operator)(), occurrence)


def described(module, operator, occurrence):
    """The mutant, with the first line that differs."""
    before = (ROOT / module).read_text().splitlines()
    after = mutated(module, operator, occurrence).splitlines()
    line = next(i for i, pair in enumerate(zip(before, after, strict=False), 1) if pair[0] != pair[1])
    return Mutant(module, operator, occurrence, line, before[line - 1].strip(), after[line - 1].strip())


def sample(count, seed, areas):
    """Mutants drawn without replacement from all that the areas have, and how many they have."""
    modules = sorted(
        path.relative_to(ROOT).as_posix()
        for area in areas
        for path in (ROOT / "src" / "backproof" / area).rglob("*.py")
    )
    everything = [(module, *position) for module in modules for position in positions(module)]
    drawn = random.Random(seed).sample(everything, count)
    return [described(*each) for each in drawn], len(everything)


class Recorder:
    """Which tests execute which lines, and each test's seconds."""

    def __init__(self, folder):
        import coverage

        self.coverage = coverage.Coverage(data_file=None, source=[str(folder / "src" / "backproof")])
        self.seconds, self.folder = {}, folder
        self.coverage.start()

    def pytest_runtest_logstart(self, nodeid):
        self.coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self):
        self.coverage.stop()
        data = self.coverage.get_data()
        lines = {
            Path(file).relative_to(self.folder).as_posix(): data.contexts_by_lineno(file)
            for file in data.measured_files()
        }
        (self.folder / "recorded.json").write_text(json.dumps({"seconds": self.seconds, "lines": lines}))


COMMON = ("-q", "-x", "-n0", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:randomly", "--tb=line")


def run_pytest(folder, arguments, plugins):
    """In a process of its own: pytest's exit status, of the copy of the project in a folder."""
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    out = os.open(folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1), os.dup2(out, 2)
    os.chdir(folder)
    sys.path.insert(0, str(folder / "src"))
    import pytest

    return int(pytest.main([*COMMON, *arguments], plugins=plugins()))


def forked(folder, arguments, limit, plugins=tuple):
    """pytest's exit status; None where it took too long.

    What takes long to import is imported before the process splits; nothing of backproof may be.
    """
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = run_pytest(folder, arguments, plugins)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def recorded(folder, area, kept):
    """An area's record, which is kept in a file; its tests must pass before anything is changed.

    A record of other sources would name tests that are gone, which fail whatever is changed.
    """
    now = contents(folder)
    if not kept.exists():
        status = forked(folder, AREAS[area], 3600, lambda: [Recorder(folder)])
        if status != 0:
            raise SystemExit(f"{(folder / 'output.txt').read_text()[-3000:]}\n{area}: status {status}")
        found = json.loads((folder / "recorded.json").read_text())
        busy = {test for lines in found["lines"].values() for tests in lines.values() for test in tests}
        kept.write_text(json.dumps({"contents": now, "idle": sorted({*found["seconds"]} - busy), **found}))
    record = json.loads(kept.read_text())
    if record["contents"] != now:
        raise SystemExit(f"{kept} is of other sources or tests; begin again with another --out")
    return record


def contents(folder):
    """A hash of the sources and the tests."""
    files = sorted(path for name in ("src", "tests") for path in (folder / name).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def rounds(mutant, record):
    """The tests to run: those that execute the changed line, then others that may notice; shortest first."""
    lines = record["lines"].get(mutant.module, {})
    line = set(lines.get(str(mutant.line), ())) - {""}  # which is an import's
    everything = sorted(record["seconds"], key=record["seconds"].get)
    module = (set().union(*lines.values()) - {""} or set(everything)) | set(record["idle"])
    first = [test for test in everything if test in line]
    rest = [test for test in everything if test in module - line]
    spent = accumulate(record["seconds"][test] for test in rest)
    rest = [test for test, seconds in zip(rest, spent, strict=True) if seconds <= OTHERS]
    return list(filter(None, (first, rest)))


def outcome(mutant, folder, record, slowness):
    """`killed`, `timeout` or `survived`."""
    changed = folder / mutant.module
    original = changed.read_text()
    changed.write_text(mutated(mutant.module, mutant.operator, mutant.occurrence))
    try:
        for tests in rounds(mutant, record):
            (folder / "tests.txt").write_text("\n".join(tests))
            limit = 30 + slowness * sum(record["seconds"][test] for test in tests)
            status = forked(folder, ["@tests.txt"], limit)
            if status is None or status < 0:
                return "timeout" if status is None else "killed"
            if status != 0:
                return "killed"
        return "survived"
    finally:
        changed.write_text(original)


def equivalent(mutant):
    """The reason why no test can notice this mutant, or None."""
    if mutant.became == mutant.was.replace("strict=True", "strict=False"):
        return "what is zipped has one length in a right program; to ask for it costs nothing"
    listed = tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text())["mutant"]
    keys = ("module", "was", "became")
    return next((m["reason"] for m in listed if all(m[k] == getattr(mutant, k) for k in keys)), None)


def copied(folder):
    """A copy of the project, whose source may be changed."""
    for name in ("src", "conf", "experiments", "tests", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    os.environ["PYTHONPATH"] = str(folder / "src")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # two changes within a second would share their bytecode
    sys.dont_write_bytecode = True


def imported_before():
    """Libraries that take long to import, once for all processes."""
    os.environ.setdefault("JAX_ENABLE_X64", "1")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    for name in ("jax", "pandas", "scipy.stats", "scipy.special", "sklearn.datasets", "sympy"):
        import_module(name)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=150, help="mutants in the sample")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--area", choices=AREAS, help="draw from this one alone; else from all")
    parser.add_argument(
        "--out", type=Path, default=Path("mutants.jsonl"), help="one line per mutant; added to"
    )
    parser.add_argument("--only", type=Path, help="run again what survives in this file")
    parser.add_argument("--slowness", type=float, default=10, help="limit of time, in times what tests took")
    options = parser.parse_args()
    mutants, total = sample(options.count, options.seed, [options.area] if options.area else AREAS)
    print(f"{len(mutants)} of {total} mutants", flush=True)
    if options.only:
        mutants = survivors(options.only)
    earlier = lines_of(options.out) if options.out.exists() else []
    done = {tuple(line[k] for k in ("module", "operator", "occurrence")) for line in earlier}
    imported_before()
    with tempfile.TemporaryDirectory() as name, options.out.open("a") as out:
        folder = Path(name)
        copied(folder)
        for area in AREAS:
            todo = [m for m in mutants if m.area == area and (m.module, m.operator, m.occurrence) not in done]
            record = recorded(folder, area, options.out.with_suffix(f".{area}.json")) if todo else {}
            for mutant in todo:
                found = outcome(mutant, folder, record, options.slowness)
                out.write(json.dumps(asdict(mutant) | {"outcome": found}) + "\n")
                out.flush()
    return report(lines_of(options.out))


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def mutant_of(line):
    return Mutant(**{key: value for key, value in line.items() if key != "outcome"})


def survivors(path):
    """The mutants of an earlier run that no test noticed."""
    return [mutant_of(line) for line in lines_of(path) if line["outcome"] == "survived"]


def report(lines):
    """Print the survivors, and the score of each area: noticed, of those that are not equivalent."""
    counts = defaultdict(Counter)
    for line in lines:
        mutant, found = mutant_of(line), line["outcome"]
        reason = equivalent(mutant) if found == "survived" else None
        counts[mutant.area]["equivalent" if reason else found] += 1
        if found == "survived":
            print(f"survived: {mutant}" + (f"\n    equivalent: {reason}" if reason else ""))
    for area, count in (*counts.items(), ("all", sum(counts.values(), Counter()))):
        noticed = count["killed"] + count["timeout"]
        judged = noticed + count["survived"]
        print(f"{area}: {noticed} of {judged} noticed, {noticed / max(judged, 1):.0%}; {dict(count)}")


if __name__ == "__main__":
    main()
