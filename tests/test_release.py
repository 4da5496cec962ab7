"""A release answers only if every byte of it is the one its digest stands for."""

import hashlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from modemap.errors import DataError, ReleaseError
from modemap.files import read_json, write_json
from modemap.release import (
    PARTS,
    files_digest,
    golden_mismatch,
    load_release,
    release_digest,
    verify_release,
    write_manifest,
)
from modemap.sketch import sketches_of


def _remake(release):
    """Write a manifest that fits whatever the parts are now."""
    columns = read_json(release / "manifest.json")["columns"]
    (release / "manifest.json").unlink()
    write_manifest(release, columns=columns, params={})


def test_the_digest_is_the_sha256_of_the_manifest(release):
    """One string stands for the manifest, which stands for every other file."""
    manifest = verify_release(release)

    assert (
        release_digest(release)
        == hashlib.sha256((release / "manifest.json").read_bytes()).hexdigest()
    )
    assert sorted(manifest["files"]) == sorted(PARTS)
    assert manifest["columns"] == ["delay", "distance"]
    assert manifest["preparation"]["delay"]["missing"] == "drop"
    assert manifest["params"]["train_som"]["n_rows"] == 3


def test_equal_parts_make_equal_digests(make_release, release, tmp_path):
    """Trained twice from the same rows, a release has the same digest in any folder."""
    again = make_release(tmp_path / "again")

    assert release_digest(again) == release_digest(release)


@pytest.mark.parametrize("name", PARTS)
def test_a_changed_byte_is_refused(release, name):
    """Whichever file it is in, a flipped byte is found and its file named."""
    path = release / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(ReleaseError, match=name):
        verify_release(release)


@pytest.mark.parametrize("name", [*PARTS, "manifest.json"])
def test_a_missing_file_is_refused(release, name):
    """A release is whole or it is none."""
    (release / name).unlink()

    with pytest.raises(ReleaseError, match=name):
        verify_release(release)


@pytest.mark.parametrize("name", ["extra.py", ".hidden", "folder"])
def test_an_unknown_file_is_refused(release, name):
    """Nothing may lie in a release that its digest does not cover."""
    (release / name).mkdir()

    with pytest.raises(ReleaseError, match=name):
        verify_release(release)


def test_a_link_in_place_of_a_file_is_refused(release):
    """A link could point at other bytes tomorrow."""
    (release / "som.npz").rename(release.parent / "som.npz")
    (release / "som.npz").symlink_to(release.parent / "som.npz")

    with pytest.raises(ReleaseError, match="plain file"):
        verify_release(release)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        '{"format": 1, "files": 1}',
        '{"format": 1, "files": {"../../som.npz": {}}}',
    ],
)
def test_a_manifest_that_is_none_is_refused(release, text):
    """What this version did not write is not believed."""
    (release / "manifest.json").write_text(text)

    with pytest.raises(ReleaseError, match=r"manifest\.json"):
        verify_release(release)


def test_another_release_than_the_one_asked_for_is_refused(release):
    """A release that is whole but another one does not pass for it."""
    with pytest.raises(ReleaseError, match="digest must be 0123") as caught:
        load_release(release, "0123")

    assert caught.value.found == release_digest(release)


def test_a_release_scores_raw_rows(release, rows):
    """Every answer has a row for each row, and the strange row stands out."""
    loaded = load_release(release, release_digest(release))

    scores = loaded.score(np.vstack([rows, [[500.0, 9000.0]]]))

    assert scores.units.shape == scores.segments.shape == (501,)
    assert loaded.modes(rows).shape == (500, 2)
    np.testing.assert_array_equal(scores.segments, loaded.segments[scores.units])
    assert scores.anomaly_percentile[-1] == 100
    assert 40 < np.median(scores.anomaly_percentile) < 60
    assert scores.distances[-1] > scores.distances[:-1].max()


def test_a_row_alone_has_the_bits_it_has_among_others(release, rows):
    """Rows scored one by one, by sixteen and all at once are answered alike to the last bit."""
    loaded = load_release(release, release_digest(release))

    whole = loaded.answers(rows)

    assert set(whole) == {*vars(loaded.score(rows)), "modes"}
    for size in (1, 16):
        parts = [loaded.answers(rows[i : i + size]) for i in range(0, len(rows), size)]
        for name, values in whole.items():
            found = np.concatenate([part[name] for part in parts])
            assert found.tobytes() == np.ascontiguousarray(values).tobytes()


def test_the_likelihood_is_a_density_of_raw_units(release):
    """Summed over a grid of raw values it is one, but for what the variational bound gives away."""
    loaded = load_release(release)
    delays, distances = np.linspace(-1000, 1000, 600), np.linspace(-12000, 14000, 600)
    grid = np.stack(np.meshgrid(delays, distances), axis=-1).reshape(-1, 2)

    density = np.exp(loaded.score(grid).log_likelihood)

    area = (delays[1] - delays[0]) * (distances[1] - distances[0])
    assert density.sum() * area == pytest.approx(1, abs=0.03)


def test_a_missing_value_is_refused_by_its_column(release):
    """A row that cannot be scored is told, not guessed."""
    with pytest.raises(DataError, match="distance"):
        load_release(release).score([[1.0, np.nan]])


def test_the_quantization_error_is_in_units_of_the_rows(release, rows):
    """Rows measured in other units than the release's own scale give the same yardstick."""
    loaded = load_release(release)
    codebook = loaded.preparation.inverse_transform(loaded.som.codebook_)
    quartiles = np.percentile(rows, [25, 75], axis=0)
    scale = (quartiles[1] - quartiles[0]) / 1.349

    distances = np.linalg.norm((rows[:, None] - codebook) / scale, axis=2).min(axis=1)

    yardstick = loaded.yardstick(sketches_of([rows]))
    np.testing.assert_allclose(loaded.quantization_errors(rows, yardstick), distances)


def test_the_manifest_must_name_the_preparation_s_columns(release):
    """A release does not take columns that its preparation does not know."""
    (release / "manifest.json").unlink()

    with pytest.raises(ReleaseError, match="its columns must be"):
        write_manifest(release, columns=["delay", "speed"], params={})


def test_parts_of_different_releases_do_not_mix(make_release, release, tmp_path):
    """A map with other units than its segments is refused although every digest fits."""
    other = make_release(tmp_path / "other", n_rows=4)
    shutil.copy(other / "som.npz", release / "som.npz")
    _remake(release)

    with pytest.raises(ReleaseError, match=r"segments\.npz.*12 units"):
        load_release(release)


def test_a_part_of_another_kind_is_refused(release):
    """A file under another file's name is not taken for it."""
    shutil.copy(release / "mixture.npz", release / "som.npz")
    _remake(release)

    with pytest.raises(ReleaseError, match=r"som\.npz"):
        load_release(release)


def test_a_manifest_with_columns_in_another_order_is_refused(release):
    """The manifest, which the digest covers, and the preparation must agree."""
    manifest = read_json(release / "manifest.json")
    write_json(release / "manifest.json", manifest | {"columns": ["distance", "delay"]})

    with pytest.raises(ReleaseError, match="columns must be the preparation's"):
        load_release(release)


def test_golden_rows_are_answered_as_promised(release):
    """A sound release repeats its own answers."""
    assert golden_mismatch(release, load_release(release)) is None


def test_a_map_that_answers_otherwise_breaks_its_promise(make_release, release, tmp_path):
    """Parts that load well and answer differently are told by row and answer."""
    other = make_release(tmp_path / "other", max_iter=1)
    shutil.copy(other / "som.npz", release / "som.npz")
    _remake(release)

    assert "units of row" in golden_mismatch(release, load_release(release))


def test_a_release_without_golden_rows_promises_nothing(release):
    """No rows to repeat is no proof."""
    from modemap.estimators import save_state

    save_state(release / "golden.npz", "golden", {}, {"X": np.empty((0, 2))})
    _remake(release)

    assert golden_mismatch(release, load_release(release)) == "there are no golden rows"


def test_a_digest_of_files_depends_on_names_and_bytes():
    """Renamed or changed files are another set."""
    digests = {files_digest({"a": "1"}), files_digest({"b": "1"}), files_digest({"a": "2"})}

    assert len(digests) == 3


def test_verifying_needs_no_estimator():
    """Who only compares bytes does not wait for scikit-learn and numba."""
    code = "import sys, modemap.release; sys.exit(bool({'numba', 'sklearn'} & set(sys.modules)))"

    subprocess.run([sys.executable, "-c", code], check=True)


def test_zones_of_times_are_named_where_there_are_some(release):
    """A release of other tables has the bytes it had before."""
    before = (release / "manifest.json").read_bytes()
    columns, params = (read_json(release / "manifest.json")[name] for name in ("columns", "params"))

    for zones in ({"at": "America/New_York"}, {}):
        (release / "manifest.json").unlink()
        write_manifest(release, columns=columns, params=params, zones=zones)
        assert verify_release(release).get("zones", {}) == zones

    assert (release / "manifest.json").read_bytes() == before
