"""`backproof` and `python -m backproof`."""

import gc
import signal

# An interrupt while the program is imported ends it without a traceback; then `interruptible` takes over.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from backproof.interfaces import cli
from backproof.sweeps.interruption import ending


def main() -> int:
    """Run the program; its exit status, which no signal changes any more."""
    status = cli.main()
    ending(status)
    gc.freeze()  # else the interpreter looks for garbage as it ends: in tables and libraries, half a second
    return status


if __name__ == "__main__":
    raise SystemExit(main())
