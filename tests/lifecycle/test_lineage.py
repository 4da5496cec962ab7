"""From a version back to its data, and from data to the versions made from it."""

import pytest

from modemap.errors import RegistryError
from modemap.lifecycle.lineage import lineage
from tests.lifecycle.conftest import BATCH

pytestmark = pytest.mark.workflow


def test_a_version_names_all_it_was_made_from(replaced):
    """Batches, contract, params, code, outputs, runs, verdict and its place in the history."""
    found = lineage(replaced.root, "2")["version"]

    version = replaced.registry.get(2)
    assert (found["version"], found["digest"]) == (2, version.digest)
    assert [batch["digest"] for batch in found["batches"]] == [BATCH]
    assert found["contract"]["judgements"] == 2
    assert set(found["files"]) == {"params.yaml", "dvc.lock"}
    assert found["outputs"]["models/release"].endswith(".dir")
    assert set(found["runs"]) == {"release", "train_som", "train_mixture"}
    assert found["gate"]["passed"] is True
    (place,) = found["history"]
    assert (place["entry"], place["kind"], place["replaced"]) == (2, "promotion", 1)


def test_a_batch_names_the_versions_made_from_it(replaced):
    """Each with its place in the history."""
    found = lineage(replaced.root, BATCH[:12])

    assert found["batch"] == BATCH
    assert [version["version"] for version in found["versions"]] == [1, 2]
    assert [version["history"][0]["entry"] for version in found["versions"]] == [1, 2]


def test_a_release_is_found_by_the_beginning_of_its_digest(replaced):
    """It leads to its version."""
    digest = replaced.registry.get(1).digest

    assert lineage(replaced.root, digest[:10])["version"]["version"] == 1


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("abc", "at least 8 characters"),
        ("", "at least 8 characters"),
        ("0" * 64, "must name a version, a release or a batch"),
        ("../../etc/passwd", "must name a version, a release or a batch"),
        ("17", "version 17 must be registered"),
    ],
)
def test_a_name_of_nothing_is_told(replaced, name, rule):
    """The hint says where names are found."""
    with pytest.raises(RegistryError, match=rule):
        lineage(replaced.root, name)
