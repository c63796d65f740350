"""A page as a browser's parser sees it."""

from html.parser import HTMLParser


class Markup(HTMLParser):
    """Every tag of a page with its attributes, and the text of the page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data
