"""Data and results by a DVC remote, a folder and an S3 store, from one clone to another."""

import json
import sys
from pathlib import Path

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modemap.scaffold.project import make_project, plan_project
from tests.projects import Project
from tests.stores import object_store
from tests.trees import contents

pytestmark = pytest.mark.workflow

MAKE = ("make", f"BIN={Path(sys.executable).parent}", "READY=")  # these packages, not an own .venv
ACCOUNT = {"AWS_ACCESS_KEY_ID": "someone-s-key", "AWS_SECRET_ACCESS_KEY": "hunter2-is-secret"}
REGION = "us-east-1"


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    """Return a project of `modemap init` whose first stage has run and is committed."""
    folder = tmp_path_factory.mktemp("remotes")
    (folder / "home").mkdir()
    rng = np.random.default_rng(0)
    table = pa.table({"a": rng.normal(size=200), "b": rng.normal(size=200)})
    pq.write_table(table, folder / "rows.parquet")
    made = plan_project(str(folder / "rows.parquet"), folder / "one")
    make_project(made, folder / "one", force=False)
    project = Project(folder / "one", folder / "home")
    project.succeed("dvc", "repro", "-q", "ingest")
    project.succeed("git", "add", "-A")
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    project.succeed("git", *author, "commit", "-q", "-m", "ingested")
    return project


@pytest.fixture
def folder_remote(tmp_path):
    """Return the settings of a remote that is a folder, and what tells its objects."""
    remote = tmp_path / "shared"
    return {"DVC_REMOTE_URL": str(remote)}, lambda: contents(remote / "files/md5")


@pytest.fixture
def s3_remote(tmp_path):
    """Return the settings of a remote in a store that speaks S3, and what tells its objects."""
    (tmp_path / "store").mkdir()
    with object_store(tmp_path / "store") as address:
        account = {name.lower(): value for name, value in ACCOUNT.items()}
        store = boto3.resource("s3", endpoint_url=address, region_name=REGION, **account)
        bucket = store.create_bucket(Bucket="team")
        settings = {"AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": REGION}
        settings |= {"DVC_REMOTE_URL": "s3://team/flights", **ACCOUNT}

        def stored():
            prefix = "flights/files/md5/"
            found = bucket.objects.filter(Prefix=prefix)
            return {item.key.removeprefix(prefix): item.get()["Body"].read() for item in found}

        yield settings, stored


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_fresh_clone_pulls_what_was_pushed(ingested, tmp_path, request, kind):
    """Push, clone, pull: the same bytes, and DVC finds the clone's cache and the remote alike."""
    settings, stored = request.getfixturevalue(f"{kind}_remote")
    here = Project(tmp_path, ingested.home)

    ingested.succeed(*MAKE, "push", **settings)
    here.succeed("git", "clone", "-q", str(ingested.root), "two")
    fresh = Project(tmp_path / "two", ingested.home)
    assert not (fresh.root / "data").exists()
    fresh.succeed(*MAKE, "pull", **settings)
    status = fresh.run("dvc", "status", "--cloud", "--json", **settings)

    assert json.loads(status.stdout) == {}, status.stderr
    assert contents(fresh.root / "data/raw") == contents(ingested.root / "data/raw")
    cached = contents(fresh.root / ".dvc/cache/files/md5")
    assert len(cached) == 3  # the rows, their manifest, and the listing of the two
    assert stored() == cached
    assert fresh.succeed("git", "status", "--porcelain") == ""


def test_no_credential_is_written_into_the_project(ingested, s3_remote):
    """They stay in the environment; git sees nothing of the remote either."""
    settings, stored = s3_remote

    ingested.succeed(*MAKE, "push", **settings)

    assert stored()
    written = [path for path in ingested.root.rglob("*") if path.is_file()]
    for secret in ACCOUNT.values():
        assert not [path for path in written if secret.encode() in path.read_bytes()]
    assert ingested.succeed("git", "status", "--porcelain") == ""
