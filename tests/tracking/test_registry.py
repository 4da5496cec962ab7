"""A release is registered once for its digest and comes back byte for byte."""

import json

import pytest

from modemap.errors import RegistryError, ReleaseError
from modemap.release import release_digest, verify_release
from modemap.tracking import Registry

pytestmark = pytest.mark.workflow


@pytest.fixture
def registry(store):
    """Return a registry without versions."""
    return Registry(store)


@pytest.fixture
def version(registry, release):
    """Return the first version."""
    return _register(registry, release)


def _register(registry, release, **evidence):
    return registry.register(
        release, tags={"colour": "blue"}, metrics={"a": {"b": 1.5}}, evidence=evidence, note="good"
    )


def test_a_version_carries_tags_metrics_and_note(registry, version):
    """What was known at registration is found again."""
    found = registry.get(1)

    assert found == version
    assert found.tags["colour"] == "blue"
    assert registry.metrics(found) == {"a.b": 1.5}
    assert registry.store.client.get_model_version("flights", "1").description == "good"
    assert found.verdict is None


def test_a_release_comes_back_whole(registry, version, release, tmp_path):
    """The copy has the digest of what was registered."""
    copy = registry.download(version, tmp_path)

    assert verify_release(copy, version.digest) == verify_release(release)


def test_a_byte_changed_in_the_store_is_found(registry, version, tmp_path):
    """What comes back is compared with the version's digest."""
    run = registry.store.root / "mlruns" / "artifacts" / version.run_id
    (run / "artifacts" / "release" / "manifest.json").write_text("{}")

    with pytest.raises(ReleaseError, match=version.digest):
        registry.download(version, tmp_path)


def test_a_file_added_in_the_store_is_found(registry, version, tmp_path):
    """Nothing that the digest does not cover is let in."""
    run = registry.store.root / "mlruns" / "artifacts" / version.run_id
    (run / "artifacts" / "release" / "MLmodel").write_text("flavors: {}")

    with pytest.raises(ReleaseError, match="MLmodel"):
        registry.download(version, tmp_path)


def test_evidence_of_a_known_version_is_replaced(registry, version, release, tmp_path):
    """Registering again brings the reports up to date and makes no version."""
    for text in ("one", "two"):
        report = tmp_path / "report"
        report.write_text(text)
        assert _register(registry, release, **{"report.json": report}).number == version.number

    (tmp_path / "copy").mkdir()
    assert (registry.evidence(version, tmp_path / "copy") / "report.json").read_text() == "two"


def test_a_verdict_is_found_on_its_version(registry, version):
    """The summary says what was judged, when the history stood where, and where the record is."""
    verdict = {"passed": False, "digest": version.digest, "accepted_change": None}

    sha256 = registry.record_verdict(version, verdict, head=3)

    assert registry.get(1).verdict == verdict | {"head": 3, "sha256": sha256}
    (record,) = registry.store.client.list_artifacts(version.run_id, "gate")
    assert record.path == f"gate/{sha256[:16]}.json"


@pytest.mark.parametrize("name", ["../" * 21 + "x", "%2e" * 21 + "x", "/" + "e" * 63, "E" * 64])
def test_a_verdict_is_named_by_its_sha256_alone(registry, version, name):
    """A tag that another hand made lead elsewhere is no verdict."""
    verdict = {"passed": True, "digest": version.digest, "accepted_change": None}
    summary = verdict | {"head": 0, "sha256": name}
    registry.store.client.set_model_version_tag(
        "flights", "1", "modemap.verdict", json.dumps(summary)
    )

    assert registry.get(1).verdict is None
    with pytest.raises(RegistryError, match="sha256 names its record"):
        registry.verdict_record(version, name)


def test_no_version_at_all_is_told(registry):
    """The hint says how to get one."""
    with pytest.raises(RegistryError, match="a version must be registered") as caught:
        registry.get()

    assert caught.value.found == "versions: none"
    assert "modemap register" in caught.value.hint


def test_an_unknown_digest_has_no_version(registry, version, release):
    """Only the whole digest names a version."""
    assert registry.find(release_digest(release)) == version
    assert registry.find(version.digest[:8]) is None


def test_a_failed_registration_leaves_a_failed_run_and_no_version(registry, release, tmp_path):
    """A file that vanished half way is told; the next attempt succeeds."""
    with pytest.raises(RegistryError, match=r"missing\.json"):
        _register(registry, release, **{"missing.json": tmp_path / "missing.json"})

    (run,) = registry.store.client.search_runs([registry.store.experiment_id])
    assert run.info.status == "FAILED"
    assert registry.versions() == []
    assert _register(registry, release).number == 1
