"""Formulas become MathML while the site is built, so a page needs neither a script nor a network.

A formula is a fence ```` ```math ```` or stands between ``$` `` and `` `$ ``, as GitHub reads them.
"""

import re
from typing import Any
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from mkdocs.config.defaults import MkDocsConfig
from pymdownx.superfences import SuperFencesException

__all__ = ["on_config"]

INLINE = r"\$`([^`]+)`\$"
BEFORE_CODE = 200  # backticks alone are code, which has 190


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let Markdown know both kinds of formulas."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {})
    fence = {"name": "math", "class": "math", "format": _block}
    fences.setdefault("custom_fences", []).append(fence)
    config.markdown_extensions.append(_Formulas())
    return config


def _block(source: str, *_: Any, **__: Any) -> str:
    """Return the MathML of a fence."""
    try:
        made = _converted(source, "block")
    except ValueError as error:  # any other error would leave the fence as code
        raise SuperFencesException(str(error)) from error
    return f'<div class="formula" tabindex="0">{made}</div>'


def _converted(source: str, display: str) -> str:
    made: str = convert(source.strip(), display=display)
    unknown = re.search(r">(\\\w+)", made)
    if unknown:
        raise ValueError(f"a formula must be of words that become MathML, got {unknown[1]}")
    return made


class _Formula(InlineProcessor):
    def handleMatch(  # noqa: N802  (Markdown's name)
        self, m: Any, data: str
    ) -> tuple[str | Element, int, int]:
        del data
        return self.md.htmlStash.store(_converted(m.group(1), "inline")), m.start(0), m.end(0)


class _Formulas(Extension):
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  (Markdown's name)
        """Read formulas before code."""
        md.inlinePatterns.register(_Formula(INLINE, md), "formula", BEFORE_CODE)
