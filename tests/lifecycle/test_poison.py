"""What somebody plants in a release is never executed, and the file is named."""

import gzip
import hashlib
import io
import json
import os
import pickle

import numpy as np
import pytest

from modemap.errors import ModemapError
from modemap.lifecycle.checkout import checkout
from modemap.lifecycle.explain import explain_release
from modemap.lifecycle.gate import gate, gate_here
from modemap.lifecycle.lineage import lineage
from modemap.lifecycle.promote import promote
from modemap.lifecycle.register import register
from modemap.lifecycle.report.write import write_report
from modemap.lifecycle.rollback import rollback
from modemap.lifecycle.score import score
from modemap.lifecycle.status import status
from modemap.lifecycle.summary import summary
from modemap.lifecycle.verify import verify
from modemap.release import MANIFEST, load_release
from modemap.serving.following import champion_source, directory_source

pytestmark = pytest.mark.workflow


class Poison:
    """Whoever unpickles it leaves a folder behind."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def _object_array(poison):
    file = io.BytesIO()
    np.savez(file, codebook=np.array([poison], dtype=object))
    return file.getvalue()


def _loader(mark):
    return f"import os\nos.mkdir({str(mark)!r})\n_load_pyfunc = None\n".encode()


MLMODEL = b"flavors:\n  python_function: {loader_module: evil, data: som.npz, code: .}\n"
PLANTED = {  # files that stand in a release afterwards; the first is the one to be named
    "a pickle as a model": lambda mark: {"som.npz": pickle.dumps(Poison(mark))},
    "a gzipped pickle as a model": lambda mark: {
        "som.npz": gzip.compress(pickle.dumps(Poison(mark)))
    },
    "an array of objects": lambda mark: {"som.npz": _object_array(Poison(mark))},
    "an extra pickle": lambda mark: {"model.pkl": pickle.dumps(Poison(mark))},
    "a gzipped extra pickle": lambda mark: {
        "model.pkl.gz": gzip.compress(pickle.dumps(Poison(mark)))
    },
    "a loader module": lambda mark: {"MLmodel": MLMODEL, "evil.py": _loader(mark)},
}
REFUSING = {  # what reads the files of the planted release, and so must refuse it
    "register": register,
    "gate": lambda root: gate(root, 1).require(),
    "gate --here": lambda root: gate_here(root).require(),
    "rollback": lambda root: rollback(root, 1, why="a test"),
    "verify": lambda root: verify(root).require(),
    "explain": lambda root: explain_release(root, "1"),
    "explain here": explain_release,
    "load": lambda root: load_release(root / "models" / "release"),
    "score": lambda root: score(
        root, str(root / "data/prepared/test/*.parquet"), root / "scores.parquet", number=1
    ),
    "serve": lambda root: champion_source(root)(None),
    "serve --release": lambda root: directory_source(root / "models" / "release")(None),
}
OTHERS = {  # what has no need of them
    "status": status,
    "summary": summary,
    "lineage": lambda root: lineage(root, "1"),
    "promote": lambda root: promote(root, 2),
    "report": write_report,
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_never_executed(replaced, tmp_path, planted, monkeypatch):
    """In the registry and in the checkout: refused by name, and no folder springs up."""
    mark = tmp_path / "executed"
    files = PLANTED[planted](mark)
    monkeypatch.syspath_prepend(str(replaced.artifacts(1) / "release"))
    registered = [replaced.artifacts(number) / "release" for number in (1, 2)]
    for folder in (*registered, replaced.root / "models" / "release"):
        for name, content in files.items():
            (folder / name).write_bytes(content)

    for command in REFUSING.values():
        with pytest.raises(ModemapError, match=next(iter(files))):
            command(replaced.root)
    for command in OTHERS.values():
        command(replaced.root)

    assert not mark.exists()
    assert status(replaced.root).version == 2


def test_a_checkout_of_a_planted_version_executes_nothing(project, tmp_path):
    """It puts back three files of text and has no need of the release."""
    mark = tmp_path / "executed"
    (project.root / "dvc.yaml").write_text("stages: {}\n")
    number = register(project.root).number
    for planted in PLANTED.values():
        for name, content in planted(mark).items():
            (project.artifacts(number) / "release" / name).write_bytes(content)
    (project.root / "dvc.yaml").unlink()

    restored = checkout(project.root, number, force=True)

    assert restored.files == ["dvc.yaml"]
    assert not mark.exists()


def test_a_planted_file_with_a_manifest_to_match_is_not_executed(release, tmp_path):
    """Who can write the manifest as well gets nothing run: arrays and JSON are all we read."""
    mark = tmp_path / "executed"
    content = pickle.dumps(Poison(mark))
    (release / "som.npz").write_bytes(content)
    manifest = json.loads((release / MANIFEST).read_text())
    sha256 = hashlib.sha256(content).hexdigest()
    manifest["files"]["som.npz"] = {"sha256": sha256, "size": len(content)}
    (release / MANIFEST).write_text(json.dumps(manifest))

    with pytest.raises(ModemapError, match=r"som\.npz"):
        load_release(release)

    assert not mark.exists()


def test_the_poison_works(tmp_path):
    """Unpickled it leaves its mark: the tests above look for the right thing."""
    pickle.loads(pickle.dumps(Poison(tmp_path / "executed")))  # noqa: S301

    assert (tmp_path / "executed").exists()


def test_params_of_a_version_with_a_path_are_refused(replaced):
    """The files of a checkout are named by us, so a version cannot have others written."""
    folder = replaced.artifacts(1) / "lineage"
    (folder / "dvc.lock").unlink()
    (folder / "dvc.lock").symlink_to("/etc/hostname")

    before = (replaced.root / "dvc.lock").read_bytes()

    with pytest.raises(ModemapError, match="lineage"):
        checkout(replaced.root, 1)

    assert (replaced.root / "dvc.lock").read_bytes() == before
