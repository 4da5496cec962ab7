"""A release, its units and rows of a table are explained by what it says of the prepared rows."""

import json
import shutil
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap import cli
from modemap.data.derived import derived_names
from modemap.errors import DataError, ParamsError, RegistryError, ReleaseError
from modemap.estimators.contrast import cliffs_delta
from modemap.lifecycle.explain import explain_release, explain_rows, explain_unit
from modemap.lifecycle.explain.release import _dominance
from modemap.lifecycle.insight.recovery import recovered
from modemap.release import load_release
from tests.projects import CHECKOUT
from tests.releases import write_release

pytestmark = pytest.mark.workflow


def with_all_parts(project):
    """Give a project of test rows alone the other parts of the prepared rows."""
    prepared = project.root / "data" / "prepared"
    for split in ("train", "validation"):
        shutil.copytree(prepared / "test", prepared / split)
    return project


@pytest.fixture
def project(project):
    """Return a project in which nothing is registered, with all parts of the prepared rows."""
    return with_all_parts(project)


@pytest.fixture
def promoted(promoted):
    """Return the project whose champion is version 1, with all parts of the prepared rows."""
    return with_all_parts(promoted)


def written(folder, **columns):
    """Return a table of ``columns`` as a file."""
    path = folder / "rows.parquet"
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_segments_are_those_of_the_rows(project, tiny_release, rows):
    """Counts, shares, effects and medians are what the release says of each row."""
    found = explain_release(project.root, n_maps=0)

    release = load_release(tiny_release)
    segments = release.score(rows).segments
    assert (found.name, found.digest) == ("the release here", release.digest)
    assert (found.rows, found.n_units, found.n_sample) == (1500, 9, 1500)
    for segment in found.segments:
        is_inside = segments == segment.number
        assert segment.rows == 3 * is_inside.sum()
        assert segment.share == pytest.approx(is_inside.mean())
        assert segment.n_units == np.sum(release.segments == segment.number)
        for contrast in segment.contrasts:
            x = rows[:, release.columns.index(contrast.column)]
            effects = cliffs_delta(x, is_inside.astype(np.int64), 2)
            assert contrast.effect == pytest.approx(effects[1])
            assert contrast.inside == np.median(x[is_inside])
            assert contrast.outside == np.median(x[~is_inside])
        assert segment.sentence.startswith("Its rows have much ")
        assert (segment.recovered, segment.held) == ([], "not asked for")


def test_clumps_are_found_again_by_every_seed(project, rows):
    """Two segments that are two clumps of rows are highly stable."""
    found = explain_release(project.root, n_maps=2)

    assert (found.n_maps, found.n_fitted) == (2, len(rows))
    for segment in found.segments:
        assert len(segment.recovered) == 2
        assert segment.stability == pytest.approx(np.mean(segment.recovered))
        assert segment.stability > 0.85
        assert segment.held == "highly stable"


def test_segments_of_nothing_are_not_found_again(tmp_path):
    """A flat cloud is cut another way by each seed, and a segment without rows has no index."""
    flat = np.random.default_rng(0).uniform(size=(400, 3))
    release = load_release(write_release(tmp_path / "flat", flat, ["a", "b", "c"]))

    again = recovered(release, flat, 4)
    of_one = recovered(release, flat[release.score(flat).segments == 0], 1)

    assert again.shape == (4, 2)
    assert ((again > 0) & (again <= 1)).all()
    assert again.mean() < 0.75
    assert np.isnan(of_one[0]).tolist() == [False, True]


def test_maps_have_other_seeds_and_the_same_settings(project, monkeypatch, tiny_release):
    """No map has the release's seed, and every one its grid."""
    from modemap.estimators.som import SelfOrganizingMap

    release, fitted, fit = load_release(tiny_release), [], SelfOrganizingMap.fit

    def fit_noted(som, X, y=None):
        fitted.append(som.get_params())
        return fit(som, X, y)

    monkeypatch.setattr(SelfOrganizingMap, "fit", fit_noted)
    explain_release(project.root, n_maps=3)

    own = release.som.get_params()
    assert [params.pop("random_state") for params in fitted] == [1, 2, 3]
    assert own.pop("random_state") == 0
    assert all(params == own for params in fitted)


def test_modes_and_components_are_in_raw_units(project, tiny_release, rows):
    """They lie where the clumps of rows lie, and their shares add up."""
    found = explain_release(project.root, n_maps=0)

    release = load_release(tiny_release)
    for name, modes in found.modes.items():
        x = rows[:, release.columns.index(name)]
        assert sum(mode.weight for mode in modes) == pytest.approx(1, abs=0.02)
        assert all(x.min() <= mode.mean <= x.max() for mode in modes)
    weights = [component.weight for component in found.components]
    assert sum(weights) == pytest.approx(1)
    assert weights == sorted(weights, reverse=True)
    means = {column.column: column.mean for column in found.components[0].columns}
    stds = {column.column: column.std for column in found.components[0].columns}
    assert means == pytest.approx({"delay": 0, "distance": 500}, abs=20)
    first = found.components[0].number
    own = np.sqrt(np.diag(release.mixture.covariances_[first])) * release.preparation.scale_
    assert stds == pytest.approx(dict(zip(release.columns, own, strict=True)))


def test_an_effect_of_components_is_that_of_rows_drawn_from_them():
    """Cliff's delta by the normal distribution is what ranks of many draws say."""
    means, stds = np.array([[0.0], [1.0], [-3.0]]), np.array([[1.0], [2.0], [0.5]])
    weights = np.array([0.5, 0.3, 0.2])
    rng = np.random.default_rng(0)
    drawn = rng.choice(3, 200_000, p=weights)
    x = rng.normal(means[drawn, 0], stds[drawn, 0])

    found = [_dominance(means, stds, weights, k)[0] for k in range(3)]

    np.testing.assert_allclose(found, cliffs_delta(x, drawn, 3), atol=0.01)
    assert np.isnan(_dominance(means[:1], stds[:1], weights[:1], 0)).all()


def test_components_of_turned_columns_are_in_columns(project, make_release, tmp_path):
    """A release of principal components tells the same clumps."""
    plain = explain_release(project.root, n_maps=0).components[0]
    project.install(make_release(tmp_path / "whitened", decorrelate="whiten"))

    turned = explain_release(project.root, n_maps=0).components[0]

    for one, other in zip(plain.columns, turned.columns, strict=True):
        assert (one.column, one.mean) == (other.column, pytest.approx(other.mean, rel=0.1, abs=1))
        assert one.std == pytest.approx(other.std, rel=0.1)


def test_a_unit_is_its_rows_and_its_neighbours(project, tiny_release, rows):
    """By number or by row and column: the prototype, the effects of its rows, who lies beside."""
    found = explain_unit(project.root, "0,2")

    release = load_release(tiny_release)
    units, som = release.score(rows).units, release.som
    assert explain_unit(project.root, 2) == found
    assert (found.unit, found.row, found.column) == (2, 0, 2)
    assert found.segment == release.segments[2]
    assert found.rows == found.n_sample == 3 * np.sum(units == 2)
    assert found.share == pytest.approx(np.mean(units == 2))
    raw = release.preparation.inverse_transform(som.codebook_)[2]
    assert list(found.prototype.values()) == pytest.approx(raw.tolist())
    for contrast in found.contrasts:
        x = rows[:, release.columns.index(contrast.column)]
        assert contrast.inside == np.median(x[units == 2])
        assert contrast.effect == pytest.approx(cliffs_delta(x, 1 * (units == 2), 2)[1])
    assert sorted(beside.unit for beside in found.neighbors) == [1, 5]
    for beside in found.neighbors:
        step = np.linalg.norm(som.codebook_[beside.unit] - som.codebook_[2])
        assert beside.distance == pytest.approx(step)
        assert beside.rows == 3 * np.sum(units == beside.unit)
        assert (beside.row, beside.column) == divmod(beside.unit, 3)
    distances = [beside.distance for beside in found.neighbors]
    assert distances == sorted(distances)


def test_a_unit_without_rows_says_so(project, rows, tmp_path):
    """It has a prototype and neighbours, and nothing to compare."""
    apart = rows[np.argsort(rows[:, 1])[[0, 1, -1]]]
    folder = write_release(tmp_path / "few", np.repeat(apart, 20, axis=0), ["delay", "distance"])
    project.install(folder)
    for split in ("train", "validation", "test"):
        written(project.root / "data" / "prepared" / split, delay=apart[:, 0], distance=apart[:, 1])
    hits = np.bincount(load_release(folder).score(apart).units, minlength=9)
    empty = int(np.argmin(hits))
    assert hits[empty] == 0

    found = explain_unit(project.root, empty)

    assert (found.rows, found.share, found.sentence) == (0, 0, "There are no rows to compare.")
    assert len(found.prototype) == 2


@pytest.mark.parametrize("decorrelate", ["none", "whiten"])
def test_shares_add_up_to_the_score(project, make_release, rows, tmp_path, decorrelate):
    """Those in nats to minus the log-likelihood, the squared ones to the distance's square."""
    folder = make_release(tmp_path / "release", decorrelate=decorrelate)
    project.install(folder)
    X = np.concatenate((rows[:15], rows[:3] * 50))

    found = explain_rows(
        project.root, written(tmp_path, delay=X[:, 0], distance=X[:, 1], key=np.arange(18))
    )

    scores = load_release(folder).score(X)
    assert len(found.rows) == 18
    for i, row in enumerate(found.rows):
        assert sum(column.nats for column in row.columns) == pytest.approx(
            -scores.log_likelihood[i], rel=1e-6, abs=1e-6
        )
        assert sum(column.squared for column in row.columns) == pytest.approx(
            scores.distances[i] ** 2, rel=1e-6, abs=1e-6
        )
        assert row.log_likelihood == pytest.approx(scores.log_likelihood[i])
        assert row.distance == pytest.approx(scores.distances[i])
        assert row.anomaly_percentile == pytest.approx(scores.anomaly_percentile[i])
        assert (row.unit, row.segment) == (scores.units[i], scores.segments[i])
        beyond = [column.beyond for column in row.columns]
        assert beyond == sorted(beyond, reverse=True)


def test_an_absurd_value_is_blamed(project, rows, tmp_path):
    """A value beyond all others leads the row, and the sentence names it; a usual row has none."""
    usual = np.median(rows[rows[:, 1] < 1000], axis=0)
    source = written(tmp_path, delay=[usual[0], 900.0], distance=[usual[1], usual[1]])

    plain, odd = explain_rows(project.root, source).rows

    assert plain.sentence == "No column makes it unusual."
    assert odd.columns[0].column == "delay"
    assert odd.columns[0].place == "above all training rows"
    assert odd.sentence.startswith("delay ")
    assert odd.anomaly_percentile == 100


def test_a_row_that_training_would_not_take_says_why(project, tmp_path):
    """It keeps its place among the others; where there is no other, the source is refused."""
    source = written(
        tmp_path, delay=[1.0, float("nan"), 2.0], distance=[500.0, 500.0, float("inf")]
    )

    rows = explain_rows(project.root, source).rows

    assert [row.not_scored is None for row in rows] == [True, False, False]
    assert rows[1].not_scored.startswith("delay: a value must be there")
    assert rows[2].not_scored.startswith("distance: a value must not be infinite")
    assert (rows[1].unit, rows[1].columns) == (None, ())
    with pytest.raises(DataError, match="must hold a row that training would have taken") as caught:
        explain_rows(project.root, written(tmp_path, delay=[float("nan")], distance=[1.0]))
    assert "delay: a value must be there" in caught.value.found


def test_a_value_that_training_fills_is_filled(project, make_release, tmp_path):
    """It is the training rows' median, and said to have been missing."""
    folder = make_release(tmp_path / "release", missing={"delay": "median"})
    project.install(folder)

    (row,) = explain_rows(
        project.root, written(tmp_path, delay=[float("nan")], distance=[500.0])
    ).rows

    filled = {column.column: (column.value, column.was_missing) for column in row.columns}
    assert filled["delay"] == (load_release(folder).preparation.fill_[0], True)
    assert filled["distance"] == (500.0, False)


def test_columns_of_the_map_alone_have_a_distance_alone(project, rows, tmp_path):
    """What the density does not see adds nothing to its surprise, and all still adds up."""
    names = derived_names({"late": ["yes"]}, {})
    is_late = [(rows[:, 0] > 30) == (level == 0) for level in range(len(names))]
    X, columns = np.column_stack([rows, *is_late]).astype(float), ["delay", "distance", *names]
    prepare = {"categories": {"late": ["yes"]}}
    folder = write_release(tmp_path / "late", X, columns, map_only=names, prepare=prepare)
    project.install(folder)
    for split in ("train", "validation", "test"):
        written(project.root / "data/prepared" / split, **dict(zip(columns, X.T, strict=True)))

    source = written(tmp_path, delay=[90.0], distance=[2000.0], late=["yes"])
    (row,) = explain_rows(project.root, source).rows

    assert {column.column for column in row.columns[2:]} == set(names)
    for column in row.columns[2:]:
        assert (column.nats, column.beyond, column.place) == (None, None, None)
    assert sum(column.squared for column in row.columns) == pytest.approx(row.distance**2)
    assert set(explain_release(project.root, n_maps=0).modes) == {"delay", "distance"}


def test_only_the_first_rows_are_read(project, rows, tmp_path, monkeypatch):
    """Twenty of them, over as many pieces as that takes and no more."""
    monkeypatch.setattr("modemap.data.tables.ROWS_AT_ONCE", 8)
    read = []
    pieces = sys.modules["modemap.lifecycle.explain.rows"].source_pieces
    monkeypatch.setattr(
        "modemap.lifecycle.explain.rows.source_pieces",
        lambda *given: ((read.append(len(piece[1])), piece)[1] for piece in pieces(*given)),
    )

    found = explain_rows(project.root, written(tmp_path, delay=rows[:, 0], distance=rows[:, 1]))

    assert [float(row.key["delay"]) for row in found.rows] == rows[:20, 0].tolist()
    assert read == [8, 8, 8]


def test_a_source_that_is_none_is_refused(project, tmp_path):
    """Without the column, with texts in it, without a row, or not there at all."""
    with pytest.raises(DataError, match="each column that training took") as caught:
        explain_rows(project.root, written(tmp_path, delay=[1.0]))
    assert "column `distance`" in caught.value.place
    with pytest.raises(DataError, match="must hold numbers"):
        explain_rows(project.root, written(tmp_path, delay=["late"], distance=[1.0]))
    nothing = pa.array([], pa.float64())
    with pytest.raises(DataError, match="must hold rows"):
        explain_rows(project.root, written(tmp_path, delay=nothing, distance=nothing))
    with pytest.raises(DataError, match="must exist"):
        explain_rows(project.root, str(tmp_path / "none.parquet"))
    with pytest.raises(ValueError, match="most must be an integer >= 1, got 0"):
        explain_rows(project.root, written(tmp_path, delay=[1.0], distance=[1.0]), most=0)


@pytest.mark.parametrize(
    ("unit", "rule"),
    [
        ("9", "units 0 to 8"),
        ("3,0", "3 rows of 3 units"),
        ("0,3", "3 rows of 3 units"),
        ("-1", "must name a unit"),
        ("1,1,1", "must name a unit"),
        ("1.5", "must name a unit"),
        ("nan", "must name a unit"),
        ("", "must name a unit"),
    ],
)
def test_a_unit_off_the_map_is_refused(project, unit, rule):
    """The message says which units there are."""
    with pytest.raises(ParamsError, match=rule) as caught:
        explain_unit(project.root, unit)

    assert "rows 0 to 2 and columns 0 to 2" in caught.value.hint


def test_without_prepared_rows_nothing_is_explained(project, tmp_path):
    """Missing, without a column of the release, or of no row: the message says how to have them."""
    source = written(tmp_path, delay=[1.0], distance=[500.0])
    prepared = project.root / "data" / "prepared"
    train = prepared / "train" / "rows.parquet"
    asked = (
        lambda: explain_release(project.root, n_maps=0),
        lambda: explain_unit(project.root, 0),
        lambda: explain_rows(project.root, source),
    )

    for ask in asked:
        pq.write_table(pq.read_table(prepared / "test").slice(0, 0), train)
        with pytest.raises(DataError, match="must hold training rows"):
            ask()
        pq.write_table(pa.table({"delay": [1.0]}), train)
        with pytest.raises(DataError, match="no column distance"):
            ask()
        train.unlink()
        with pytest.raises(DataError, match="must hold Parquet files of prepared rows") as caught:
            ask()
        assert "dvc repro" in caught.value.hint


def test_a_release_that_is_none_is_refused(promoted):
    """A version that nobody registered, a name that is none, a damaged or a missing release."""
    with pytest.raises(RegistryError, match="version 9 must be registered"):
        explain_release(promoted.root, "9")
    with pytest.raises(RegistryError, match="at least 6 characters"):
        explain_unit(promoted.root, 0, "abc")
    with pytest.raises(ParamsError, match="must be at least 0"):
        explain_release(promoted.root, n_maps=-1)
    som = promoted.root / "models" / "release" / "som.npz"
    som.write_bytes(som.read_bytes()[:-1] + b"?")
    with pytest.raises(ReleaseError, match=r"som\.npz"):
        explain_release(promoted.root)
    shutil.rmtree(promoted.root / "models" / "release")
    with pytest.raises(ReleaseError, match="a release has a manifest"):
        explain_release(promoted.root)


def test_what_lies_here_needs_no_registry(project):
    """Only a version by name or number opens the tracking store."""
    shutil.rmtree(project.root / "mlruns")

    assert explain_release(project.root, n_maps=0).rows == 1500
    assert not (project.root / "mlruns").exists()


def test_the_command_tells_people_and_programs(promoted, monkeypatch, capsys):
    """The same facts, as lines or as JSON; what is wrong has its exit code."""
    monkeypatch.chdir(promoted.root)
    written(promoted.root, delay=[0.0, 900.0, None], distance=[500.0, 500.0, 1.0], key=[1, 2, 3])

    def said(*options, code=0):
        monkeypatch.setattr(sys, "argv", ["modemap", "explain", *options])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capsys.readouterr()
        assert caught.value.code == code, err
        return out or err

    lines, document = said("1", "--maps", "1"), json.loads(said("1", "--maps", "1", "--json"))
    assert lines.startswith(f"version 1, {document['digest'][:12]}: 1,500 rows on 9 units in 2 ")
    for segment in document["segments"]:
        assert f"segment {segment['number']}: {segment['rows']} rows, " in lines
        assert segment["sentence"] in lines
        assert f"stability {segment['stability']:.2f}, " in lines
    assert "a bootstrap of 500 training rows" in lines
    assert f"  delay: {len(document['modes']['delay'])} modes, the largest " in lines
    assert "delay much lower (" in lines

    lines, document = said("--unit", "0"), json.loads(said("--unit", "0", "--json"))
    assert lines.startswith("unit 0 (row 0, column 0) of the release here, ")
    assert document["sentence"] in lines
    assert lines.count(", segment ") == len(document["neighbors"]) == 2

    lines = said("--rows", "rows.parquet")
    document = json.loads(said("--rows", "rows.parquet", "--json"))
    assert lines.startswith("3 rows by the release here, ")
    assert "\n  not explained: delay: a value must be there" in lines
    assert document["rows"][1]["sentence"] in lines
    assert [row["unit"] is None for row in document["rows"]] == [False, False, True]

    unknown = json.loads(said("--maps", "0", "--json"))["segments"][0]
    assert unknown["stability"] is None
    assert "stability" not in said("--maps", "0")
    assert "explain one thing at a time" in said("--unit", "1", "--rows", "x.csv", code=2)
    assert "units 0 to 8" in said("--unit", "9", code=2)
    assert "must exist" in said("--rows", "none.csv", code=3)
    assert "version 9 must be registered" in said("9", code=8)


def test_the_page_is_true(promoted, monkeypatch, capsys):
    """Its block of Python runs in a project and tells segments, a unit and rows."""
    monkeypatch.chdir(promoted.root)
    page = (CHECKOUT / "docs" / "explain.md").read_text(encoding="utf-8")
    (block,) = [part.split("```")[0] for part in page.split("```python\n")[1:]]

    exec(compile(block, "docs/explain.md", "exec"), {})  # noqa: S102  (our own page)

    said = capsys.readouterr().out.splitlines()
    assert "Its rows have much " in said[0]
    assert said[2].startswith("{'delay': ")
    assert len(said) == 2 + 1 + 3
