"""The program without a report and without worker processes, which take most of a small sweep's time.

python tests/without_report.py sweep …
"""

import sys

WITHOUT_REPORT = (__file__,)
"""Words after Python's that run it, as ("-m", "backproof") run the program itself."""


def in_one_process(words):
    """The same command line; a sweep has no worker processes, whose start takes longer than its cells."""
    own = any(word.startswith("engine") or word in ("--help", "--cfg", "--info") for word in words)
    return words if own or words[:1] != ["sweep"] else [*words, "engine=serial"]


if __name__ == "__main__":
    from backproof.interfaces.cli import main
    from backproof.reports import write
    from backproof.reports.summary import Answer

    write.write_report = lambda *_: Answer("", ())
    sys.exit(main(in_one_process(sys.argv[1:])))
