"""The command line. Heavy imports wait until a command needs them, so that help and errors are quick."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from backproof import paths
from backproof.errors import ConfigurationError, ExitStatus, nearest
from backproof.interfaces import completion
from backproof.interfaces.answers import OPEN, WIDTH, ended
from backproof.reports.lengths import inches
from backproof.sweeps.interruption import interruptible

if TYPE_CHECKING:
    from backproof.interfaces.arguments import Arguments
    from backproof.requests import Request
    from backproof.session import Session

HELP = """\
backproof: is this gradient right, and if not, why, and does it matter?

usage: backproof COMMAND [ARGUMENTS]

  sweep experiment=thread        run an experiment's grid, then write the report
  sweep -m activation=relu,tanh clip.eps=1e-15,1e-7 name=mine
                                 any multirun grid, in Hydra's syntax
  plan ...                       the same arguments: how many cells, how long; runs nothing
  check delta=y_minus_t ...      one case in the terminal: verdict, causes, cures, a table per weight tensor;
                                 --json for programs, --plot for figures
  report results/NAME            rebuild the report from what is stored, also while a sweep runs;
                                 --width 85mm draws its figures for a journal
  compare results/A results/B    what changed between two sweeps, cell by cell; several against the first
  history results/NAME ...       a sweep repeated over commits: series, and at which commit they step
  merge results/A results/B name=both
                                 the cells of several folders in a new one

`backproof sweep --help` lists every axis and its choices.
Results go to results/NAME: report.html, cells.csv, cells.parquet, curves.parquet, figures/.
{statuses}
"""

STATUSES = "Exit status: " + "; ".join(f"{status.value} {status.sentence}" for status in ExitStatus) + "."

COMPARE_HELP = """\
usage: backproof compare results/A results/B [results/C ...]

What changed from sweep A to sweep B, cell by cell: statuses and verdicts, gradient error and convergence
paired over seeds with 95 % intervals, and differences in configuration, code and versions. Cells are aligned
by the settings that vary within A or B; a setting that each sweep holds constant may differ between the two.
Prints a summary and writes results/B/compare-with-A.html, and beside it the heatmaps of A, of B and of what
differs between them as SVG, PDF, PNG and CSV: those that both experiments ask for, else one of each measure.

Three sweeps or more are each compared with the first: results/LAST/compare-N-A-B-C.html has a row for each
with its answer and verdicts, what changed in it against A, and heatmaps with a panel per sweep on one scale.

  backproof compare results/before results/after
  backproof compare results/eps-1e-15 results/eps-1e-7 results/eps-1e-3

Exit status: 0 every cell is in A and in each other sweep with the same status and verdict; 1 some cell is
not; 2 wrong arguments, or the page cannot be written.
"""

HISTORY_HELP = """\
usage: backproof history [--output=DIR] results/NAME [results/NAME ...]

A sweep that was repeated over commits, as a series of results in the order of their time. They may be in
several folders, one for each commit, or in one folder that was swept again after the code changed: cells of
earlier code stay in its store, and each run's commit is on record there. Cells are matched by the settings
that vary within a result, as `compare` does.

  for c in $(git rev-list --reverse v1..v2); do
    git checkout -q $c && backproof sweep experiment=thread name=thread-$c
  done; backproof history results/thread-*
  backproof sweep experiment=thread      # today; again after every change of the code
  backproof history results/thread

Per measure (gradient error, final loss, accuracy, steps to the threshold, diverged runs, seconds) and
combination of settings the median over seeds is followed, and the mean over all combinations; of the verdicts
how many cells have each. A step is a change of level that lasts two results at least on both sides and is
larger than the noise from result to result explains; changes below 5 % (half a percent of an accuracy or of
the runs, one step to the threshold, one cell) count as noise. Of series of pure noise at most 6 % show one.
Seconds depend on the machine: results of several machines step where the machine changes.

Prints the steps, and writes history.html and history/*.svg, .pdf, .png and .csv into DIR, else into the last
folder. Exit status: 0 no step; 1 some step; 2 wrong arguments, or the page cannot be written.
"""

OUTPUT = "--output"

MERGE_HELP = """\
usage: backproof merge results/A results/B ... name=NEW

The cells of several sweeps, as parts of a grid that ran on different machines, in a new folder results/NEW
with tables and a report. Of a cell that several folders hold, one that is done counts, then one that failed;
where results differ the first folder's are kept, and their number is said. Question, claims and figures are
kept where all folders have the same.

Exit status: 0 every cell is there and no results differ; 1 some are not or do; 2 wrong arguments.
"""

REPORT_HELP = """\
usage: backproof report [--open] [--width 85mm] results/NAME

Rebuilds tables, figures and report from the store. Of a folder that holds sweeps, as results/, it writes an
index: index.html, with the question and the answer of each. --open shows the page in the browser.

--width WIDTH draws every figure exactly so wide for a journal, in mm, cm, in or pt: --width 85mm, 3.35in,
174mm. Fonts are of 6 to 8 points, a PNG has 600 dots per inch, and there is no title in the picture, as that
belongs to the caption. What does not fit is left out and said so beneath the figure.
"""

HELP_OF = {"report": REPORT_HELP, "compare": COMPARE_HELP, "history": HISTORY_HELP, "merge": MERGE_HELP}
"""Of the commands that take folders."""

FIGURE_WIDTH = "--width"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with interruptible():
        return ended(lambda: _run(given))


def _run(given: Sequence[str]) -> ExitStatus:
    if not given or given[0] in ("-h", "--help", "help"):
        print(HELP.format(statuses=textwrap.fill(STATUSES, WIDTH)), end="")
        return ExitStatus.OK if given else ExitStatus.WRONG
    if "--version" in given:
        from importlib.metadata import version

        print(version("backproof"))
        return ExitStatus.OK
    command, *words = given
    if command in completion.FLAGS:
        return completion.complete(words, list(COMMANDS), OF_GRIDS)
    if command not in COMMANDS:
        known = ", ".join(COMMANDS)
        raise ConfigurationError(f"{command}: must be one of {known}{nearest(command, COMMANDS)}")
    if {"-h", "--help"} & set(words):
        print(_help_of(command, words), end="")
        return ExitStatus.OK
    if command in OF_GRIDS and set(completion.FLAGS) & set(words):
        words = [word for word in words if word not in completion.FLAGS]
        return completion.complete(words, list(COMMANDS), OF_GRIDS)
    return COMMANDS[command](words)


def _sweep(words: Sequence[str]) -> ExitStatus:
    from backproof.interfaces.arguments import read

    arguments = read("sweep", words)
    if arguments.for_hydra:
        return _in_hydra(arguments)
    from backproof.interfaces.answers import open_page, show_best, show_sweep

    if arguments.optimises:
        result, best = session_of(arguments).optimise(request_of(arguments))
        show_best(best)
    else:
        result = session_of(arguments).sweep(request_of(arguments))
    status = show_sweep(result)
    if arguments.opens and result.page:
        open_page(result.page)
    return status


def _plan(words: Sequence[str]) -> ExitStatus:
    from backproof.interfaces.arguments import read

    arguments = read("plan", words)
    if arguments.for_hydra:
        return _in_hydra(arguments)
    from backproof.interfaces.answers import show_plan

    return show_plan(session_of(arguments).plan(request_of(arguments)))


def _check(words: Sequence[str]) -> ExitStatus:
    from backproof.interfaces.arguments import read

    arguments = read("check", words)
    if arguments.for_hydra:
        return _in_hydra(arguments)
    from backproof.interfaces.answers import show_check

    session = session_of(arguments)
    result = session.check(request_of(arguments))
    folder = session.folder_of(arguments.value("name") or "check") if "--plot" in arguments.own else None
    return show_check(result, as_json="--json" in arguments.own, plots=folder)


def _report(words: Sequence[str]) -> ExitStatus:
    words, width = _width_of(words)
    folders = [word for word in words if word != OPEN]
    if len(folders) != 1:
        raise ConfigurationError(
            f"report: takes one results folder, as in `backproof report results/thread`; not {len(folders)}"
        )
    from backproof.interfaces.answers import open_page, show_report
    from backproof.session import Session

    session, folder = Session(), Path(folders[0])
    report = f"{folder}: the report"
    with _writing(report):
        page = session.index(folder)
    if page:
        print(f"index: {page}")
        status = ExitStatus.OK
    else:
        with _writing(report):
            result = session.report(folder, width)
        page, status = result.page, show_report(result)
    if OPEN in words:
        open_page(page)
    return status


def _width_of(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The words of `report` without `--width`, and its value, which stands in the same word or the next."""
    left, width, given = list[str](), None, iter(words)
    for word in given:
        if word == FIGURE_WIDTH:
            width = next(given, "")
        elif word.startswith(f"{FIGURE_WIDTH}="):
            width = word.partition("=")[2]
        else:
            left.append(word)
    if width is not None:
        inches("width", width)  # before anything is read
    return left, width


def _compare(words: Sequence[str]) -> ExitStatus:
    folders = _folders("compare", words)
    if len(folders) < 2:
        raise ConfigurationError(
            "compare: takes two results folders or more, as in"
            f" `backproof compare results/before results/after`; not {len(folders)}"
        )
    from backproof.interfaces.comparison import show_comparison, show_several
    from backproof.session import Session

    session, page = Session(), f"{folders[-1]}: the comparison"
    if len(folders) == 2:
        with _writing(page):
            of_two = session.compare(*folders)
        return show_comparison(of_two)
    with _writing(page):
        of_several = session.compare_several(folders)
    return show_several(of_several)


def _history(words: Sequence[str]) -> ExitStatus:
    outputs = [word.partition("=")[2] for word in words if word.startswith(f"{OUTPUT}=")]
    if OUTPUT in words:
        raise ConfigurationError(f"{OUTPUT}: takes a folder behind an equals sign, {OUTPUT}=DIR")
    if len(outputs) > 1 or "" in outputs:
        raise ConfigurationError(f"{OUTPUT}: takes one folder, as in {OUTPUT}=trend")
    folders = _folders("history", [word for word in words if not word.startswith(f"{OUTPUT}=")], [OUTPUT])
    if not folders:
        raise ConfigurationError(
            "history: takes results folders, as in `backproof history results/monday results/tuesday`; not 0"
        )
    from backproof.interfaces.history import show_history
    from backproof.session import Session

    target = Path(outputs[0]) if outputs else folders[-1]
    with _writing(f"{target}: the history"):
        found = Session().history(folders, Path(outputs[0]) if outputs else None)
    return show_history(found)


def _folders(command: str, words: Sequence[str], options: Sequence[str] = ()) -> list[Path]:
    """Words that are folders and no options; `options` are those that there are."""
    for word in words:
        if word.startswith("-"):
            hint = nearest(word.partition("=")[0], options)
            raise ConfigurationError(f"{word}: unknown option; {command} takes results folders{hint}")
    return [Path(word) for word in words]


def _merge(words: Sequence[str]) -> ExitStatus:
    names = [w.removeprefix("name=") for w in words if w.startswith("name=")]
    folders = [Path(w) for w in words if not w.startswith("name=")]
    if len(names) != 1:
        raise ConfigurationError(
            "merge: needs name=NEW, the folder in results/ that is made; see merge --help"
        )
    from backproof.interfaces.answers import show_merge
    from backproof.session import Session

    with _writing(f"results/{names[0]}:"):
        merged = Session().merge(folders, names[0])
    return show_merge(merged)


@contextmanager
def _writing(what: str) -> Iterator[None]:
    """Files are written; where that fails, the message says what cannot be."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"{what} cannot be written ({error})") from error


COMMANDS: dict[str, Callable[[Sequence[str]], ExitStatus]] = {
    "sweep": _sweep,
    "plan": _plan,
    "check": _check,
    "report": _report,
    "compare": _compare,
    "history": _history,
    "merge": _merge,
}


OF_GRIDS = ("sweep", "plan", "check")
"""The commands that take overrides."""


def session_of(arguments: Arguments) -> Session:
    """The session that a command's arguments ask for."""
    from backproof.interfaces.progress import Terminal
    from backproof.session import Session

    searchpath = (f"file://{arguments.config_dir}",) if arguments.config_dir else ()
    return Session(searchpath=searchpath, listener=Terminal())


def request_of(arguments: Arguments) -> Request:
    """What they ask it for."""
    from backproof.requests import Request

    return Request(
        arguments.overrides,
        config_name=arguments.config_name or "config",
        retry_failed="--retry-failed" in arguments.own,
        fail_fast="--fail-fast" in arguments.own,
    )


def _in_hydra(arguments: Arguments) -> ExitStatus:
    """What Hydra does itself; the report of a sweep by another sweeper is written afterwards."""
    from backproof.interfaces.child import run_hydra

    own = [
        f"hydra.sweeper.{flag.lstrip('-').replace('-', '_')}=true" for flag in sorted(arguments.own - {OPEN})
    ]
    overrides = [_in_hydras_form(word, arguments) for word in arguments.overrides]
    ended_with = run_hydra([*arguments.hydra, *overrides, *own])
    failed = ended_with not in (ExitStatus.OK, ExitStatus.UNREAD)
    status = ExitStatus.WRONG if arguments.shows and failed else ExitStatus(ended_with)
    if status is not ExitStatus.OK or arguments.shows or not arguments.other_sweeper:
        return status
    from backproof.interfaces.answers import open_page, show_report
    from backproof.session import DEFAULT_NAME, Session

    session = Session()
    folder = session.folder_of(arguments.value("name") or DEFAULT_NAME)
    if not folder.is_dir():
        return status
    result = session.report(folder)
    if arguments.opens:
        open_page(result.page)
    return show_report(result)


def _in_hydras_form(override: str, arguments: Arguments) -> str:
    """An experiment that is a choice of a group of files is added by Hydra, as no list of defaults has it."""
    key, _, name = override.partition("=")
    if key != "experiment" or arguments.config_dir is None:
        return override
    theirs = paths.is_file(arguments.config_dir / "experiment" / f"{name}.yaml")
    ours = paths.experiment(name, [arguments.config_dir]) is not None
    return f"+{override}" if theirs and not ours else override


def _help_of(command: str, words: Sequence[str]) -> str:
    if command in HELP_OF:
        return HELP_OF[command]
    from backproof.interfaces.arguments import parsed
    from backproof.interfaces.help import Where, help_of

    given, _ = parsed(command, words)
    where = Where(given.config_dir, given.config_name or "config")
    return help_of(command, where, (given.help or "").partition("=")[0])
