"""Where the program speaks, and the exit statuses with which it ends."""

from rich.console import Console

OK, SOME_FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
"""All cells are there; some are not; wrong arguments, nothing ran; interrupted."""

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
