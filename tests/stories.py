"""A made-up story: a small map, two segments, a gate that refused."""

from dataclasses import replace

import numpy as np
import pytest

from modemap.reporting import story as told
from modemap.reporting.alignment import AlignedMaps, Turn


@pytest.fixture
def models() -> told.Models:
    """Return a map of 2 x 3 units over two columns."""
    segments = np.array([[0, 0, 1], [0, 1, 1]])
    picture = told.MapPicture(
        distances=np.array([[0.5, 1.0, 4.0], [0.5, 2.0, 4.0]]),
        hits=np.array([[10, 20, 0], [5, 1, 64]]),
        segments=segments,
        planes={"delay": np.arange(6.0).reshape(2, 3), "distance": np.full((2, 3), 7.0)},
    )
    reasons = [
        told.Reason("delay", 1301.0, 58.76, 0.9999, 0.0),
        told.Reason("distance", 80.0, -0.5, 0.2, 0.7),
    ]
    return told.Models(
        rows=100,
        map=picture,
        segments=[
            told.Segment(0, 35, 0.35, 3, [told.Contrast("delay", -0.9, -4.0, 15.0)]),
            told.Segment(1, 65, 0.65, 3, [told.Contrast("delay", 0.2, 15.0, -4.0)]),
        ],
        histograms=[
            told.Histogram(
                column="delay",
                edges=np.linspace(-10, 50, 4),
                counts=np.array([60, 30, 8]),
                expected=np.array([58.0, 31.0, 9.5]),
                modes=[told.Mode(0.7, -4.0, 3.0), told.Mode(0.3, 20.0, 9.0)],
                below=0,
                above=2,
                low=-10.0,
                high=1301.0,
            )
        ],
        strangest=[told.StrangeRow({"flight": "51"}, "train", 5, 1, -160.4, reasons)],
        found=told.FoundRows({"flight": ["51", "7", "51"]}, np.array([5, 0, 2])),
    )


@pytest.fixture
def compared(models) -> tuple[dict, AlignedMaps]:
    """Return what `modemap compare` found of a planar map and a turned torus of hexagons."""
    first = models.map
    turn = Turn(0.93, (1, 0), (True, False), is_transposed=True)
    facts = {
        "names": ["version 1", "the release here"],
        "digests": ["ab" * 32, "cd" * 32],
        "params": {"train_som.topology": [None, "hexagonal"]},
        "batches": [[], ["flights/2013-02"]],
        "n_rows": 100,
        "quantization_error": [0.9, 0.8],
        "log_likelihood": [-30.0, -30.5],
        "error_change": {"mean": -0.1, "low": -0.15, "high": -0.05},
        "likelihood_change": {"mean": -0.5, "low": -1.2, "high": 0.2},
        "segment_agreement": 0.66,
        "moved_share": 0.153,
        "unusual": [4, 1, 2],
        "matches": {"0": 1, "1": 0},
        "changed": [{"key": {"flight": "51"}, "percentiles": [99.5, 12.0], "segments": [0, 1]}],
        "map_agreement": 0.93,
    }
    return facts, AlignedMaps(first, replace(first, is_hexagonal=True, is_toroidal=True), turn)


@pytest.fixture
def contract() -> told.Contract:
    """Return a contract of two rules that one batch kept."""
    batch = told.Batch("flights/2013-01", "ab" * 32, 120)
    kept = told.Judged(batch.source, batch.digest, 118, 2, None, None, [None, None], [])
    rules = [
        told.RuleStory(
            "expect_column_values_to_be_between",
            ["delay"],
            {"min_value": -60, "max_value": 1440, "mostly": 0.95},
            "a day has an end",
            may_be_empty=False,
            results=[kept],
        ),
        told.RuleStory(
            "expect_table_row_count_to_be_between",
            [],
            {"min_value": 1},
            "",
            may_be_empty=False,
            results=[replace(kept, unexpected=None, observed=120)],
        ),
    ]
    return told.Contract("flights.yaml", rules, [batch], is_complete=True)


@pytest.fixture
def story(models, contract) -> told.Story:
    """Return the story of version 4, stopped by the gate while version 3 is the champion."""
    results = [
        told.RuleResult("contract", "passed", "2 results", "every rule", "the data kept it"),
        told.RuleResult("stability", "not checkable", float("nan"), 0.3, "not a finite number"),
    ]
    metrics = [
        told.Metric("quantization_error", 0.75, 0.5),
        told.Metric("log_likelihood", -28.0, -29.5),
        told.Metric("stability", None, 0.25),
    ]
    columns = [
        told.Column("delay", "drop", 6, -2.0, 9.637),
        told.Column("distance", "error", 0, 872.0, 667.9),
    ]
    parts = {"train": 70, "validation": 10, "test": 20}
    return told.Story(
        project="flights",
        rendered="2026-01-02T03:04:05+00:00",
        digest="cd" * 32,
        stopped=None,
        data=told.Data("flights/*.parquet", contract.batches, [], 120, 20, parts, ["id"], columns),
        models=models,
        standing=told.Standing(
            version=4,
            champion=3,
            since="2026-01-01T00:00:00+00:00",
            who="ann@example",
            why="the gate passed it",
            other=3,
            metrics=metrics,
            verdict=told.Verdict(False, 3, None, results),
        ),
        contract=contract,
        lineage={"release digest": "cd" * 32, "code": "commit 0123", "reports/x.json": "md5 9"},
        next_steps=[("make ui", "look"), ("modemap status", "ask")],
    )
