"""Formulas as MathML, made by docutils: every current browser shows it, and no script is loaded for it."""

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


def _written(translator, node: nodes.Element) -> None:
    """Add a formula to the page; one that docutils cannot read is a warning, which fails the strict build."""
    block = isinstance(node, nodes.math_block)
    try:
        math = latex2mathml.tex2mathml(node.astext(), as_block=block)
    except Exception as error:
        LOGGER.warning("no formula: %s (%s)", node.astext(), error, location=node)
        math = translator.encode(node.astext())
    translator.body.append(math)
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", inline_renderers=(_written, None), block_renderers=(_written, None))
    return {"parallel_read_safe": True}
