"""Diagrams and formulas are drawn by the build, or stop it."""

import pytest
from markdown import Markdown
from mkdocs.config.defaults import MkDocsConfig
from pymdownx.superfences import SuperFencesException

from docs.hooks import diagrams, formulas


def test_nodes_arrows_and_groups_are_read():
    """Labels, stores and chains of arrows; a node is named once and used again."""
    chart = diagrams.read_chart(
        "flowchart LR\n  a[(the source)] --> b --> c\n  subgraph DVC\n    b\n  end"
    )

    assert chart.labels == {"a": "the source", "b": "b", "c": "c"}
    assert chart.arrows == [("a", "b"), ("b", "c")]
    assert chart.stores == {"a"}
    assert chart.groups == {"DVC": ["b"]}
    assert not chart.is_upright


def test_what_cannot_be_drawn_is_named():
    """The line is shown, so that the page can be mended."""
    with pytest.raises(ValueError, match=r"nodes and arrows, got 'a -\.-> b'"):
        diagrams.read_chart("flowchart LR\n  a -.-> b")


@pytest.fixture
def markdown() -> Markdown:
    """Return a Markdown that knows both hooks, as the site's does."""
    config = MkDocsConfig()
    config.markdown_extensions, config.mdx_configs = ["pymdownx.superfences"], {}
    for hook in (diagrams, formulas):
        hook.on_config(config)
    return Markdown(extensions=config.markdown_extensions, extension_configs=config.mdx_configs)


def test_formulas_become_mathml(markdown):
    """In a fence and within a line."""
    made = markdown.convert("So $`x_1`$ is\n\n```math\nx_1 = 2\n```\n")

    assert made.count("<math") == 2
    assert "`" not in made


@pytest.mark.parametrize(
    "text",
    ["```mermaid\npie\n```", "```mermaid\nflowchart LR\n  a -.-> b\n```", "```math\n\\arg x\n```"],
)
def test_a_fence_that_cannot_be_read_stops_the_build(markdown, text):
    """It is not shown as it stands."""
    with pytest.raises(SuperFencesException, match="must be"):
        markdown.convert(text)
