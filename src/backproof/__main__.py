"""`backproof` and `python -m backproof`."""

import atexit
import signal

# An interrupt while the program is imported ends it without a traceback; then `interruptible` takes over.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from backproof.interfaces import cli
from backproof.sweeps.interruption import ending
from backproof.sweeps.parents import leave_without_freeing


def main() -> int:
    """Run the program; its exit status, which no signal changes any more."""
    status = 1
    atexit.register(lambda: leave_without_freeing(status))  # what is registered later is called before
    status = cli.main()
    ending(status)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
