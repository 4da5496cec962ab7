"""The flow `score`: every row of a table by the champion, or by a version that is named."""

from prefect import flow

from modemap.orchestration.scoring import score_source


@flow(name="score")
def score(source: str, output: str, version: int | None = None) -> int:
    """Say of each row of a table where it lies on the map and how unusual it is.

    Args:
        source: A file, or a glob of files, of any size.
        output: The .parquet file to write; it appears whole.
        version: A registered version; by default the champion.
    """
    return score_source(source, output, version)
