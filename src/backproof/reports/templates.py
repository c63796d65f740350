"""The templates of the pages: everything escaped, a missing name an error, one style for all."""

import jinja2


def environment() -> jinja2.Environment:
    """Where the pages' templates and their style are found."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("backproof.reports", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
