"""The program without a drawn report, which takes most of a small sweep's time and is looked at elsewhere.

python tests/without_report.py sweep …
"""

import sys

WITHOUT_REPORT = (__file__,)
"""Words after Python's that run it, as ("-m", "backproof") run the program itself."""

if __name__ == "__main__":
    from backproof.interfaces.cli import main
    from backproof.reports import write
    from backproof.reports.summary import Answer

    write.write_report = lambda *_: Answer("", ())
    sys.exit(main())
