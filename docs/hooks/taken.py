"""Pages taken from files outside docs/: the README's parts, the changes, security, contributing.

Nothing is copied by hand. Links that lead out of docs/ are turned to these pages, or to the file
itself, which then lies in the site.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

__all__ = ["on_files", "on_page_markdown"]

ROOT = Path(__file__).parents[2]
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^()#\s]*)(#[^()\s]*)?\)")
CODE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
README_PAGES = {  # page -> sections of the README; the part before the first one has no name
    "index.md": ("", "Start", "Look", "How fast", "How the parts fit", "The estimators alone"),
    "work.md": ("Work with it",),
    "tutorials/own-table.md": ("Your own table",),
    "reference/exit-codes.md": ("When it stops",),
}
LEFT_OUT = ("More",)  # what the site's navigation says
WHOLE = {  # page -> file
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
    "contributing.md": "CONTRIBUTING.md",
}
INSTEAD = {  # of files and folders -> page
    "docs/decisions": "decisions/index.md",
    "params.yaml": "reference/params.md",
    **{file: page for page, file in WHOLE.items()},
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, and the files to which they link."""
    texts = {page: (ROOT / file).read_text(encoding="utf-8") for page, file in WHOLE.items()}
    texts |= readme_pages()
    for page, text in texts.items():
        linked = relinked(text, PurePosixPath(), page)
        files.append(File.generated(config, page, content=linked))
    every = [(text, PurePosixPath()) for text in texts.values()]
    every += [
        (file.content_string, PurePosixPath("docs", file.src_uri).parent)
        for file in files.documentation_pages()
        if file.src_uri not in texts
    ]
    for path in sorted({path for text, folder in every for path in _outside(text, folder)}):
        content = (ROOT / path).read_bytes()
        files.append(File.generated(config, f"files/{path}", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page of docs/ that lead out of it."""
    del config, files
    if page.file.generated_by:
        return markdown
    return relinked(markdown, PurePosixPath("docs", page.file.src_uri).parent, page.file.src_uri)


def readme_pages() -> dict[str, str]:
    """Return the pages that the README makes; it must have no section that no page takes."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first, *rest = HEADING.split(readme)
    sections = {"": first} | dict(zip(rest[::2], rest[1::2], strict=True))
    taken = [name for names in README_PAGES.values() for name in names]
    if sorted(sections) != sorted([*taken, *LEFT_OUT]):
        raise PluginError(f"docs/hooks/taken.py must place every section: {sorted(sections)}")
    pages = {}
    for page, names in README_PAGES.items():
        parts = [f"## {name}\n{sections[name]}" if name else sections[name] for name in names]
        text = "".join(parts)
        pages[page] = text.removeprefix("#") if len(names) == 1 else text
    return pages


def relinked(text: str, folder: PurePosixPath, page: str) -> str:
    """Return ``text``, of ``folder`` in the repository, with links as ``page`` must have them."""

    def turned(link: re.Match[str]) -> str:
        target, anchor = link[1], link[2] or ""
        if re.match(r"\w+:", target) or (not target and folder.parts):
            return link[0]
        path = normpath(folder / target) if target else "README.md"
        if folder.parts and path.startswith("docs/") and path not in INSTEAD:
            return link[0]
        place = _place(path, anchor)
        return f"]({relpath(place, PurePosixPath(page).parent)}{anchor})"

    parts = CODE.split(text)
    parts[::2] = [LINK.sub(turned, part) for part in parts[::2]]
    return "".join(parts)


def _place(path: str, anchor: str) -> str:
    """Return the page or file of the site for a file of the repository."""
    if path == "README.md":
        sections = {_slug(name): page for page, names in README_PAGES.items() for name in names}
        if anchor and anchor[1:] not in sections:
            raise PluginError(f"a link leads to README.md{anchor}, which no page has taken")
        return sections.get(anchor[1:], "index.md")
    if path in INSTEAD:
        return INSTEAD[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}"


def _outside(text: str, folder: PurePosixPath) -> set[str]:
    """Return the files outside docs/ to which ``text`` links and that no page stands for."""
    prose = "".join(CODE.split(text)[::2])
    targets = {found[1] for found in LINK.finditer(prose) if found[1]}
    paths = {normpath(folder / target) for target in targets if not re.match(r"\w+:", target)}
    return {p for p in paths if not p.startswith("docs/") and p not in {*INSTEAD, "README.md"}}


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")
