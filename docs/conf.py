"""Configuration of the documentation site: `sphinx-build -W -n --keep-going docs build/docs`.

Sphinx with the PyData theme and MyST's Markdown: what NumPy, SciPy, pandas and scikit-learn are documented
with. Material for MkDocs, the other candidate, has been in maintenance since November 2025
(https://github.com/squidfunk/mkdocs-material/issues/8523).
"""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "backproof"
author = "the backproof developers"
version = release = version_of("backproof")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",  # docstrings in Google's style
    "docstrings",
    "from_code",
    "mathml",
    "whole_site",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "notebooks/*.ipynb"]

myst_enable_extensions = ["amsmath", "attrs_inline", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
# Types in signatures: other libraries' inventories are on the network. {py:obj} of pages is checked.
nitpick_ignore_regex = [("py:class", ".*"), ("py:exc", "GradcheckError|ConfigurationError|FunctionError")]

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "backproof"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"changelog": [], "stability": [], "glossary": []}
copyright = "the backproof developers, MIT licence"
