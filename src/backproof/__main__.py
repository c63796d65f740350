"""`backproof` and `python -m backproof`."""

from backproof.interfaces.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
