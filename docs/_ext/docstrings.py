"""Docstrings as they are written in the code: text in backticks is code, and |x| an absolute value."""

import re

from sphinx.application import Sphinx

_CODE = re.compile(r"(?<![`:])`([^`]+)`(?!`)")


def _as_restructured_text(_app, _what, _name, _object, _options, lines: list[str]) -> None:
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split(r"(``[^`]*``)", _CODE.sub(r"``\1``", line))
            lines[i] = "".join(p if p.startswith("``") else p.replace("|", r"\|") for p in parts)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _as_restructured_text, priority=100)
    return {"parallel_read_safe": True}
