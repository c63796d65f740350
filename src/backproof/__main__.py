"""`backproof` and `python -m backproof`."""

import signal

# An interrupt while the program is imported ends it without a traceback; then `interruptible` takes over.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from backproof.interfaces.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
