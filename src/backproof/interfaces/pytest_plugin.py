"""The plugin of pytest: a fixture whose checks must agree, and one report of all checks of a session.

def test_my_gradient(backproof):
    backproof.check(f_df, w, x, y)

Loaded by pytest itself, in every suite: what it needs is imported when a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import pytest

if TYPE_CHECKING:
    from backproof.verdicts.check import Check

PROPERTY = "backproof"
"""Under which a check is kept with the result of its test; pytest-xdist brings it to the main process."""


class Checked(TypedDict):
    """A check as it is reported; plain data, since a test may run in another process."""

    test: str
    agrees: bool
    verdict: str
    digits: int
    text: str


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of checks."""
    group = parser.getgroup("backproof", "derivatives that are checked")
    group.addoption(
        "--backproof-digits", type=int, metavar="N",
        help="digits to which every derivative must have been compared",
    )  # fmt: skip
    group.addoption(
        "--backproof-report", type=Path, metavar="FILE.html", help="one page of all checks of the session"
    )


class Checker:
    """`check`, `check_vjp` and the others of backproof, each followed by its `assert_agrees`.

    All take the arguments that they take there, and `digits`, which the option gives by default.
    """

    def __init__(self, digits: int | None, keep: Callable[[Check], None]) -> None:
        self._digits, self._keep = digits, keep

    def __getattr__(self, name: str) -> Callable[..., Check]:
        import backproof

        if name not in backproof.__all__ or not name.startswith("check"):
            known = ", ".join(n for n in backproof.__all__ if n.startswith("check"))
            raise AttributeError(f"the fixture backproof has {known}; not {name}")

        def checked(*args: Any, digits: int | None = self._digits, **keywords: Any) -> Check:
            __tracebackhide__ = True
            found: Check = getattr(backproof, name)(*args, **keywords)
            self._keep(found)
            found.assert_agrees(digits)
            return found

        return checked


@pytest.fixture
def backproof(request: pytest.FixtureRequest) -> Checker:
    """Checks of derivatives that fail the test, with the explanation, unless they agree."""

    def keep(found: Check) -> None:
        kept = Checked(
            test=request.node.nodeid, agrees=found.agrees, verdict=found.verdict.value, digits=found.digits,
            text=repr(found),
        )  # fmt: skip
        request.node.user_properties.append((PROPERTY, kept))

    return Checker(request.config.getoption("--backproof-digits"), keep)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many derivatives were checked and how closely; write the report."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    found: list[Checked] = []
    for report in reports:
        if isinstance(report, pytest.TestReport) and report.when == "call":
            found += [kept for name, kept in report.user_properties if name == PROPERTY]  # type: ignore[misc]
    if not found:
        return
    found.sort(key=lambda kept: (kept["agrees"], kept["digits"]))
    agreeing = [kept["digits"] for kept in found if kept["agrees"]]
    words = f"{len(found)} derivatives checked, {len(found) - len(agreeing)} do not agree"
    words += f"; the others to {min(agreeing)} digits or more" if agreeing else ""
    terminalreporter.write_line(f"backproof: {words}")
    path = config.getoption("--backproof-report")
    if path is not None:
        from backproof.reports.checks_page import write_checks

        write_checks(found, words, path)
        terminalreporter.write_line(f"backproof: {path}")
