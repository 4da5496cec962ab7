"""Two releases are compared on the same rows, and every difference is told."""

import json
import sys
from dataclasses import asdict

import numpy as np
import pytest

from modemap import cli
from modemap.errors import RegistryError, ReleaseError
from modemap.lifecycle.compare import HERE, compare_releases
from modemap.release import Release, load_release
from modemap.sketch import sketches_of

pytestmark = pytest.mark.workflow


@pytest.fixture
def keyed(replaced):
    """Return a project of two versions whose rows have their key in params.yaml."""
    path = replaced.root / "params.yaml"
    path.write_text(path.read_text().replace("key: [time_hour, carrier, flight]", "key: [key]"))
    assert "key: [key]" in path.read_text()
    return replaced


def test_both_are_measured_on_the_same_rows(keyed, tiny_release, releases, rows):
    """Means, their difference, segments and unusual rows are those of the releases themselves."""
    found = compare_releases(keyed.root, "1", "2")

    first, second = load_release(tiny_release), load_release(releases["longer trained"])
    assert found.names == ("version 1", "version 2")
    assert found.digests == (first.digest, second.digest)
    assert found.n_rows == len(rows)
    yardstick = second.yardstick(sketches_of([rows]))
    errors = [release.quantization_errors(rows, yardstick).mean() for release in (first, second)]
    assert found.quantization_error == pytest.approx(errors)
    assert found.error_change.mean == pytest.approx(errors[1] - errors[0])
    assert found.error_change.low <= found.error_change.mean <= found.error_change.high
    one, other = first.score(rows), second.score(rows)
    is_unusual = [scores.anomaly_percentile >= 99 for scores in (one, other)]
    assert found.unusual[0] == np.sum(is_unusual[0] & is_unusual[1])
    assert found.params == {"train_som.max_iter": (10, 30)}
    assert found.batches == ([], [])


def test_a_release_beside_itself_differs_in_nothing(keyed):
    """By every name that it has, too: number, digest, run, and where it lies."""
    digest = compare_releases(keyed.root, "2", HERE).digests[0]

    for name in ("2", digest[:12], digest):
        found = compare_releases(keyed.root, name, HERE)

        assert found.digests == (digest, digest)
        assert (found.segment_agreement, found.moved_share) == (1.0, 0.0)
        assert found.unusual[1:] == (0, 0)
        assert found.error_change.mean == found.likelihood_change.mean == 0
        assert (found.changed, found.params) == ([], {})


def test_numbers_of_segments_do_not_matter(keyed, releases, monkeypatch):
    """Segments that merely change their numbers are the same segments."""
    ask, second = Release.score, load_release(releases["longer trained"]).digest

    def renumbered(release, X):
        scores = ask(release, X)
        segments = 1 - scores.segments if release.digest == second else scores.segments
        return type(scores)(**vars(scores) | {"segments": segments})

    before = compare_releases(keyed.root, "1", "2")
    monkeypatch.setattr(Release, "score", renumbered)
    after = compare_releases(keyed.root, "1", "2")

    assert after.moved_share == before.moved_share
    assert after.segment_agreement == pytest.approx(before.segment_agreement)


def test_rows_that_changed_most_come_first(keyed, releases, rows):
    """With their key, and what both said of them."""
    keyed.install(releases["bad mixture"])

    found = compare_releases(keyed.root, "1", HERE)

    sizes = [abs(row.percentiles[1] - row.percentiles[0]) for row in found.changed]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 10
    places = keyed.artifacts(1) / "release", keyed.root / "models" / "release"
    first, second = (load_release(place) for place in places)
    said = [release.score(rows).anomaly_percentile for release in (first, second)]
    assert sizes[0] == pytest.approx(np.abs(said[1] - said[0]).max())
    key = found.changed[0].key["key"]
    assert found.changed[0].percentiles == pytest.approx((said[0][key], said[1][key]))


@pytest.mark.parametrize("name", ["9", "abc", "0123456789", "modemap"])
def test_a_name_of_no_release_is_refused(keyed, name):
    """It says what may be named."""
    with pytest.raises(RegistryError) as caught:
        compare_releases(keyed.root, "1", name)

    assert caught.value.exit_code == 8


def test_a_damaged_release_is_not_compared(keyed):
    """Nothing is said of files that are not the version's."""
    som = keyed.artifacts(1) / "release" / "som.npz"
    som.write_bytes(som.read_bytes()[:-1] + b"?")

    with pytest.raises(ReleaseError):
        compare_releases(keyed.root, "1", "2")


def test_the_command_tells_people_and_programs(keyed, monkeypatch, capsys):
    """The same facts, as lines or as JSON."""
    monkeypatch.chdir(keyed.root)

    def said(*options):
        monkeypatch.setattr(sys, "argv", ["modemap", "compare", "1", "2", *options])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code == 0
        return capsys.readouterr().out

    lines, document = said(), json.loads(said("--json"))

    expected = json.loads(json.dumps(asdict(compare_releases(keyed.root, "1", "2"))))
    assert document == expected
    assert "version 2 beside version 1, on " in lines
    assert "setting      train_som.max_iter: 10 -> 30" in lines
    assert f"{document['quantization_error'][1]:.4g}" in lines
