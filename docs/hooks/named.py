"""What the theme leaves without a name gets one, for those who hear a page."""

from typing import Any

__all__ = ["on_post_page"]

NAMED = {'data-md-component="search" role="dialog"': ' aria-label="Search"'}


def on_post_page(output: str, **_: Any) -> str:
    """Name the search.

    Raises
    ------
    ValueError
        If the theme has no such element any more.
    """
    for element, name in NAMED.items():
        if element not in output:
            raise ValueError(f"the theme's page must have {element}")
        output = output.replace(element, element + name)
    return output
