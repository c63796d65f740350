"""Common tasks, each in an environment of its own: `nox -l` lists them."""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """The README's tests; arguments go to pytest."""
    session.install("-e", ".[test]")
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Lines and branches that no test takes; ten minutes on two cores."""
    session.install("-e", ".[test,docs,torch]")
    session.run(
        "coverage", "run", "-m", "pytest", "-n", "auto", *session.posargs, env={"OMP_NUM_THREADS": "1"}
    )
    session.run("coverage", "combine", "-q")
    session.run("coverage", "report")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, and the direction of imports."""
    session.install("-e", ".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """The site in build/docs; a broken link or reference fails it."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "-W", "-n", "--keep-going", "docs", "build/docs")


@nox.session
def package(session: nox.Session) -> None:
    """Wheel and source distribution in dist, as an index would take them."""
    session.install("build", "twine")
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", *sorted(map(str, Path("dist").glob("*"))))
