"""`backproof` and `python -m backproof`."""

import signal

# An interrupt while the program is imported ends it without a traceback; then `interruptible` takes over.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from backproof import leaving
from backproof.interfaces import cli
from backproof.sweeps.interruption import ending


def main() -> int:
    """Run the program; its exit status, which no signal changes any more."""
    status = cli.main()
    leaving.without_freeing(status)
    ending(status)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
