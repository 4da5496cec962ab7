"""Read a page as a browser would: what is text, what is an element, what the numbers are."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

SILENT = ("script", "style")
VOID = ("meta", "link", "br", "input")
INLINE = ("a", "b", "code", "data", "em", "i", "span", "strong", "time")


@dataclass
class Page(HTMLParser):
    """The parts of an HTML page that tests ask for."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    facts: dict[str, list[str]] = field(default_factory=dict)  # data-fact -> values
    texts: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag, attrs):
        """Keep the element, and the number if it is one."""
        named = {name: value or "" for name, value in attrs}
        self.elements.append((tag, named))
        self._part(tag)
        if "data-fact" in named:
            self.facts.setdefault(named["data-fact"], []).append(named["value"])
        if tag not in VOID:
            self.opened.append(tag)

    def handle_startendtag(self, tag, attrs):
        """Keep an element without content."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        """Check that elements are closed in their order."""
        assert self.opened.pop() == tag
        self._part(tag)

    def handle_data(self, data):
        """Keep what a person reads, and apart from it what a machine does."""
        if self.opened and self.opened[-1] in SILENT:
            self.scripts.append(data)
        else:
            self.texts.append(data)

    def _part(self, tag: str) -> None:
        if tag not in INLINE:
            self.texts.append(" ")

    @property
    def text(self) -> str:
        """What a person reads, with single spaces."""
        return " ".join("".join(self.texts).split())

    def number(self, name: str) -> float:
        """Return the only number of this name."""
        (value,) = self.facts[name]
        return float(value)


def read_page(html: str) -> Page:
    """Return the page, which must be well formed."""
    page = Page()
    page.feed(html)
    page.close()
    assert not page.opened
    return page
