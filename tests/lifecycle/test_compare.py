"""Two releases are compared on the same rows, and every difference is told."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from modemap import cli
from modemap.errors import RegistryError, ReleaseError
from modemap.lifecycle.compare import compare_releases
from modemap.lifecycle.naming import HERE
from modemap.lifecycle.register import register
from modemap.lifecycle.rules import Interval
from modemap.release import Release, load_release
from modemap.sketch import sketches_of
from modemap.tracking.lineage import COMMIT
from modemap.tracking.registry import Registry
from modemap.tracking.store import open_store
from tests.pages import read_page

pytestmark = pytest.mark.workflow


@pytest.fixture
def keyed(replaced):
    """Return a project of two versions whose rows have their key in params.yaml."""
    path = replaced.root / "params.yaml"
    path.write_text(path.read_text().replace("key: [time_hour, carrier, flight]", "key: [key]"))
    assert "key: [key]" in path.read_text()
    return replaced


def git(root, *arguments):
    """Run git as somebody; return what it says."""
    somebody = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    command = ["git", "-C", str(root), *somebody, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


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


def test_the_champion_and_git_revisions_are_names(keyed):
    """A revision is that of the version made at it; the champion is the history's."""
    git(keyed.root, "init", "-q")
    git(keyed.root, "commit", "-q", "--allow-empty", "-m", "first")
    git(keyed.root, "tag", "before")
    git(keyed.root, "commit", "-q", "--allow-empty", "-m", "second")
    registry = Registry(open_store(keyed.root, "flights"))
    registry.set_tag(registry.get(1), COMMIT, git(keyed.root, "rev-parse", "before"))

    for name in ("before", "HEAD~1"):
        assert compare_releases(keyed.root, name, "champion").names == ("version 1", "version 2")
    with pytest.raises(RegistryError, match="versions: none"):
        compare_releases(keyed.root, "HEAD", HERE)


def test_a_champion_of_another_digest_is_refused(keyed):
    """The history says which release was promoted, whatever a tag says now."""
    registry = Registry(open_store(keyed.root, "flights"))
    registry.set_tag(registry.get(2), "modemap.digest", registry.get(1).digest)

    with pytest.raises(RegistryError, match="history's"):
        compare_releases(keyed.root, "champion", HERE)


def test_before_a_promotion_there_is_no_champion(project):
    """It says what to do."""
    register(project.root)

    with pytest.raises(RegistryError, match="none yet"):
        compare_releases(project.root, "champion", HERE)


def test_a_damaged_release_is_not_compared(keyed):
    """Nothing is said of files that are not the version's."""
    som = keyed.artifacts(1) / "release" / "som.npz"
    som.write_bytes(som.read_bytes()[:-1] + b"?")

    with pytest.raises(ReleaseError):
        compare_releases(keyed.root, "1", "2")


def test_segments_alike_have_one_number_on_both_maps(keyed, releases, rows):
    """Rows, places and numbers of the drawn maps are those of the releases."""
    keyed.install(releases["larger map"])

    found = compare_releases(keyed.root, "1", HERE)

    first, second = found.maps.first, found.maps.second
    assert first.hits.sum() == second.hits.sum() == len(rows)
    assert second.hits.shape == (4, 3)
    release = load_release(keyed.root / "models" / "release")
    own = release.segments.reshape(4, 3)
    assert {(int(a), int(b)) for a, b in zip(own.flat, second.segments.flat, strict=True)} == set(
        found.matches.items()
    )
    assert 0.5 < found.map_agreement <= 1


def test_facts_are_json_whatever_was_found(keyed):
    """A number that is none is null: NaN is no JSON."""
    unknown = Interval(np.nan, np.nan, np.nan)
    found = replace(compare_releases(keyed.root, "1", "2"), error_change=unknown)

    facts = json.loads(json.dumps(found.facts, allow_nan=False))

    assert facts["error_change"] == {"mean": None, "low": None, "high": None}
    assert "maps" not in facts


def test_the_command_tells_people_and_programs(keyed, monkeypatch, capsys):
    """The same facts, as lines or as JSON."""
    monkeypatch.chdir(keyed.root)

    def said(*options):
        monkeypatch.setattr(sys, "argv", ["modemap", "compare", "1", "2", *options])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code == 0
        return capsys.readouterr().out

    lines, document = said("--report", "comparison.html"), json.loads(said("--json"))

    page = read_page((keyed.root / "comparison.html").read_text())
    assert page.number("moved_share") == document["moved_share"]
    assert page.number("map_agreement") == document["map_agreement"]

    expected = json.loads(json.dumps(compare_releases(keyed.root, "1", "2").facts))
    assert document == expected
    assert "version 2 beside version 1, on " in lines
    assert "setting      train_som.max_iter: 10 -> 30" in lines
    assert f"{document['quantization_error'][1]:.4g}" in lines
