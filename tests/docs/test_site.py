"""The site as it was built: whole, at peace with its links, and without a word to another host."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from tests.projects import CHECKOUT

LOADED = {  # what a browser fetches by itself: element -> attributes
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "link": ("href",),
    "form": ("action",),
}
OUTSIDE = re.compile(r"url\(\s*['\"]?(?:https?:)?//|@import\s+['\"](?:https?:)?//")


@dataclass
class Built(HTMLParser):
    """What a page names, links to and loads."""

    names: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag, attrs):
        """Sort an element's attributes."""
        named = {name: value or "" for name, value in attrs}
        self.names |= {named[name] for name in ("id", "name") if name in named}
        self.classes |= set(named.get("class", "").split())
        if tag == "a" and "href" in named:
            self.links.append(named["href"])
        self.loads += [named[name] for name in LOADED.get(tag, ()) if named.get(name)]


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Built]:
    """Return every page of the site, read."""
    read = {}
    for path in sorted(site.rglob("*.html")):
        if "files" not in path.relative_to(site).parts:
            read[path] = Built()
            read[path].feed(path.read_text(encoding="utf-8"))
    return read


def test_every_page_of_docs_is_a_page_of_the_site(site, pages):
    """None is forgotten, and those that are made from others are there too."""
    written = [path.relative_to(CHECKOUT / "docs") for path in (CHECKOUT / "docs").rglob("*.md")]
    made = ["index", "work", "changelog", "security", "contributing", "reference/commands"]
    made += ["reference/params", "reference/exit-codes", "decisions/index", "runbooks/index"]

    expected = {site / path.with_suffix(".html") for path in written}
    expected |= {site / f"{name}.html" for name in made}
    assert len(expected) > 60
    assert expected <= set(pages)


def test_every_link_within_the_site_leads_to_a_page_and_a_place(site, pages):
    """Files and anchors are there, in navigation and text."""
    lost = []
    for path, page in pages.items():
        for link in [*page.links, *page.loads]:
            address, anchor = urldefrag(link)
            if urlsplit(link).scheme or path.name == "404.html":
                continue
            target = (path.parent / unquote(address)).resolve() if address else path
            target = target / "index.html" if target.is_dir() else target
            is_there = target.is_file() and target.is_relative_to(site)
            is_placed = not anchor or target not in pages or unquote(anchor) in pages[target].names
            if not (is_there and is_placed):
                lost.append((str(path.relative_to(site)), link))
    assert lost == []


def test_links_lead_to_files_of_the_repository_too():
    """So the pages can be read where they lie."""
    for page in (CHECKOUT / "docs").rglob("*.md"):
        prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
            assert ":" in link or (page.parent / link).exists(), (page.name, link)


def test_no_page_asks_another_host_for_anything(pages):
    """Scripts, styles, pictures and frames lie in the site; only links that people follow leave."""
    asked = [load for page in pages.values() for load in page.loads]

    assert len(asked) > len(pages)
    assert [load for load in asked if re.match(r"(https?:)?//", load)] == []


def test_no_style_asks_another_host_for_anything(site):
    """Nor do fonts and pictures of styles, in files or in pages."""
    styles = [*site.rglob("*.css"), *site.rglob("*.html")]

    assert [style for style in styles if OUTSIDE.search(style.read_text(encoding="utf-8"))] == []


def test_diagrams_and_formulas_need_no_script(site, pages):
    """They are pictures, tables and MathML, of which a browser draws all by itself."""
    map_page = (site / "explanation" / "map.html").read_text(encoding="utf-8")

    assert map_page.count("<math") > 20
    assert "$`" not in map_page
    unread = {"mermaid", "language-mermaid", "language-math"}
    assert [path for path, page in pages.items() if unread & page.classes] == []
    assert "diagram" in pages[site / "architecture.html"].classes


def test_the_search_knows_the_pages(site):
    """The index lies in a script, so a page that was opened as a file finds things too."""
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")

    for name in ("explanation/mixture.html", "reference/commands.html", "not-yet.html"):
        assert name in index
