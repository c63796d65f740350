"""A built site is whole: every local link leads somewhere, and no page loads anything from the network."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

LOADED = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("source", "src"),
    ("iframe", "src"),
    ("use", "href"),
}
"""Attributes whose target a browser fetches by itself; `_Page` leaves out rel="canonical" and its like."""


class _Page(HTMLParser):
    """The links of a page, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[tuple[str, bool]] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        for name in ("href", "src"):
            if target := given.get(name):
                fetched = (tag, name) in LOADED and given.get("rel") not in ("canonical", "next", "prev")
                self.links.append((target, fetched))


def problems_of(site: Path) -> tuple[list[str], int]:
    """What is wrong with a site's pages, one line each, and how many links were followed."""
    pages = {
        path.resolve(): _Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts
    }
    found, count = [], 0
    for path, page in pages.items():
        where = path.relative_to(site.resolve())
        for target, fetched in page.links:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if fetched and parts.scheme != "data":
                    found.append(f"{where}: loads {target} from the network")
                continue
            count += 1
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not to.is_file():
                found.append(f"{where}: {target} leads nowhere")
            elif parts.fragment and to in pages and unquote(parts.fragment) not in pages[to].anchors:
                found.append(f"{where}: {target} leads to no such place")
    return found, count


def _require_whole(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.name == "html":
        found, count = problems_of(Path(app.outdir))
        if found:
            raise SphinxError("the site is not whole:\n" + "\n".join(found))
        print(f"whole: {count} local links lead somewhere, and no page loads anything from the network")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", _require_whole, priority=900)
    return {"parallel_read_safe": True}
