"""The registered versions of a project's release: written once for each digest, read with care.

Nothing here loads a model. Files are downloaded and compared with the digest; MLflow's own loader,
which imports whatever a folder names, is never called.
"""

import hashlib
import json
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modemap.errors import RegistryError
from modemap.files import canonical_json, sha256_file
from modemap.release import release_digest, verify_release
from modemap.tracking._client import error_code
from modemap.tracking._opened import close_abandoned, opened_run
from modemap.tracking.lineage import FILE_TAG, LINEAGE_FILES, OUTPUT_TAG
from modemap.tracking.runs import numbers
from modemap.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

__all__ = ["CHAMPION", "Registry", "Version"]

PAGE = 1000
CHAMPION = "champion"  # the alias, and what people call it
DIGEST = "modemap.digest"
VERDICT = "modemap.verdict"
SHA256 = re.compile("[0-9a-f]{64}")
VERDICT_KEYS = {"accepted_change", "digest", "head", "passed", "sha256"}
RELEASE = "release"  # folders among the artifacts of a release's run
EVIDENCE = "evidence"
GATE = "gate"
CARD = "card"
LINEAGE = "lineage"


@dataclass(frozen=True)
class Version:
    """A registered version: one release and what is known of it."""

    number: int
    digest: str
    run_id: str
    tags: Mapping[str, str]

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The gate's last word on it in short, None if there is none or it is not the gate's."""
        try:
            verdict = json.loads(self.tags.get(VERDICT, "null"))
        except ValueError:
            return None
        if not isinstance(verdict, dict) or set(verdict) != VERDICT_KEYS:
            return None
        return verdict if SHA256.fullmatch(str(verdict["sha256"])) else None

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of DVC that it was made of, each with its md5."""
        return {
            tag.removeprefix(OUTPUT_TAG): md5
            for tag, md5 in self.tags.items()
            if tag.startswith(OUTPUT_TAG)
        }


class Registry:
    """The versions of one project's release.

    Parameters
    ----------
    store : Store
        Where they are kept; the registered model has the project's name.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.model = store.project

    def register(
        self,
        release: Path,
        *,
        tags: Mapping[str, str],
        metrics: Mapping[str, Any],
        evidence: Mapping[str, Path],
        note: str,
    ) -> Version:
        """Register the directory ``release`` unless its digest has a version already.

        Parameters
        ----------
        release : Path
            A verified release.
        tags, metrics : mapping
            What is known of it; the tags go to the version and to its run.
        evidence : mapping of str to Path
            Files that the gate will read, by name; those of a known version are replaced.
        note : str
            Markdown shown for the version and its run.

        Returns
        -------
        Version
            The version of this digest with the lowest number.
        """
        digest = release_digest(release)
        if found := self.find(digest):
            with self.store.asked():
                self._log_evidence(found.run_id, evidence)
            return found
        tags = dict(tags) | {DIGEST: digest, "modemap.kind": RELEASE}
        with self.store.asked() as client:
            close_abandoned(self.store)
            noted = tags | {"mlflow.note.content": note}
            with opened_run(self.store, f"{RELEASE}-{digest[:8]}", noted) as run_id:
                self._log_files(run_id, release, evidence)
                self.log_metrics(run_id, metrics)
            self._create_model()
            source = f"{client.get_run(run_id).info.artifact_uri}/{RELEASE}"
            client.create_model_version(
                self.model, source, run_id, tags, description=note, await_creation_for=0
            )
        # Of two processes that registered one digest at once, both name the first one's version.
        return self._found(digest)

    def find(self, digest: str) -> Version | None:
        """Return the version of ``digest`` with the lowest number, if there is one."""
        return next(self._search(f" AND tags.`{DIGEST}` = '{digest}'"), None)

    def versions(self) -> list[Version]:
        """Return all versions in the order of their numbers."""
        return list(self._search())

    def get(self, number: int | None = None) -> Version:
        """Return version ``number``, or the newest one.

        Raises
        ------
        RegistryError
            If there is no such version of ours.
        """
        condition = "" if number is None else f" AND version_number = {number}"
        *_, version = [None, *self._search(condition)]
        if version is None:
            wanted = "a version" if number is None else f"version {number}"
            known = ", ".join(str(known.number) for known in self.versions())
            hint = f"name one of {known}" if known else "register a release: `modemap register`"
            rule, found = f"{wanted} must be registered", f"versions: {known or 'none'}"
            raise RegistryError(self._place(), rule, found=found, hint=hint)
        return version

    def download(self, version: Version, folder: Path) -> Path:
        """Copy the release of ``version`` below ``folder`` and verify every byte of the copy.

        Raises
        ------
        RegistryError
            If the store does not have the files.
        ReleaseError
            If they are not those of the version's digest.
        """
        release = self._fetch(version, RELEASE, folder)
        verify_release(release, version.digest)
        return release

    def lineage_files(self, version: Version, folder: Path) -> dict[str, Path]:
        """Copy params.yaml, dvc.yaml and dvc.lock of ``version`` below ``folder``, verified.

        Raises
        ------
        RegistryError
            If one of them is not what was registered, or was not registered at all.
        """
        found = self._fetch(version, LINEAGE, folder)
        for name in LINEAGE_FILES:
            expected = version.tags.get(f"{FILE_TAG}{name}", "none was kept")
            sha256 = sha256_file(found / name) if (found / name).is_file() else "no such file"
            if sha256 != expected:
                rule = f"its {name} must have sha256 {expected}"
                hint = "take the file from the version's commit"
                raise RegistryError(f"version {version.number}", rule, found=sha256, hint=hint)
        return {name: found / name for name in LINEAGE_FILES}

    def put_back(self, version: Version, release: Path) -> None:
        """Write the files of the verified directory ``release`` over those kept of ``version``."""
        with self.store.asked() as client:  # one by one: MLflow's log_artifacts keeps what is there
            for path in sorted(release.iterdir()):
                client.log_artifact(version.run_id, str(path), RELEASE)

    def evidence(self, version: Version, folder: Path) -> Path:
        """Copy the evidence registered with ``version`` below ``folder`` and return its place."""
        return self._fetch(version, EVIDENCE, folder)

    def set_tag(self, version: Version, name: str, value: str) -> None:
        """Keep ``value`` on ``version``, in place of what it had under that name."""
        with self.store.asked() as client:
            client.set_model_version_tag(self.model, str(version.number), name, value)

    def keep_card(self, version: Version, files: Mapping[str, str], note: str) -> None:
        """Keep the texts ``files`` by name with ``version``, and show the Markdown ``note``."""
        with self.store.asked() as client:
            for name, text in files.items():
                client.log_text(version.run_id, text, f"{CARD}/{name}")
            client.update_model_version(self.model, str(version.number), note)

    def alias(self) -> int | None:
        """Return the version that MLflow's pages show as champion, if any."""
        with self.store.asked() as client:
            found = client.get_registered_model(self.model).aliases.get(CHAMPION)
        return None if found is None else int(found)

    def set_alias(self, number: int) -> None:
        """Let MLflow's pages show version ``number`` as champion."""
        with self.store.asked() as client:
            client.set_registered_model_alias(self.model, CHAMPION, str(number))

    def metrics(self, version: Version) -> dict[str, float]:
        """Return the metrics that are known of ``version``."""
        with self.store.asked() as client:
            return dict(client.get_run(version.run_id).data.metrics)

    def log_metrics(self, run_id: str, metrics: Mapping[str, Any]) -> None:
        """Add ``metrics`` to the run of a version; what is no finite number is left out."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entries = [Metric(name, value, now, 0) for name, value in numbers(metrics).items()]
        with self.store.asked() as client:
            client.log_batch(run_id, metrics=entries)

    def record_verdict(self, version: Version, verdict: Mapping[str, Any], head: int) -> str:
        """Keep the gate's ``verdict`` on ``version``, judged when the history's head was ``head``.

        Returns
        -------
        str
            The sha256 of the verdict's record among the artifacts of the version's run.
        """
        record = canonical_json(dict(verdict))
        sha256 = hashlib.sha256(record).hexdigest()
        summary = {
            "accepted_change": verdict["accepted_change"],
            "digest": verdict["digest"],
            "head": head,
            "passed": verdict["passed"],
            "sha256": sha256,
        }
        with self.store.asked() as client:
            client.log_text(version.run_id, record.decode(), f"{GATE}/{sha256[:16]}.json")
        self.set_tag(version, VERDICT, json.dumps(summary))
        return sha256

    def read_verdict(self, version: Version) -> dict[str, Any] | None:
        """Return the whole record of the gate's last word on ``version``, None if there is none.

        Raises
        ------
        RegistryError
            If the store does not have the record that the version's tag names.
        """
        if version.verdict is None:
            return None
        return self.verdict_record(version, version.verdict["sha256"])

    def verdict_record(self, version: Version, sha256: str) -> dict[str, Any]:
        """Return the record of a verdict on ``version`` by its sha256, which a promotion names.

        Raises
        ------
        RegistryError
            If the store does not have it, or has another.
        """
        if not SHA256.fullmatch(sha256):
            rule, hint = "a verdict's sha256 names its record", "judge again: `modemap gate`"
            raise RegistryError(f"version {version.number}", rule, found=sha256, hint=hint)
        name = f"{GATE}/{sha256[:16]}.json"
        with tempfile.TemporaryDirectory(prefix="modemap-verdict-") as folder:
            record = self._fetch(version, name, Path(folder)).read_bytes()
        found = hashlib.sha256(record).hexdigest()
        if found != sha256:
            rule, hint = f"{name} must have sha256 {sha256}", "judge again: `modemap gate`"
            raise RegistryError(f"version {version.number}", rule, found=found, hint=hint)
        return dict(json.loads(record))

    def _log_files(self, run_id: str, release: Path, evidence: Mapping[str, Path]) -> None:
        self.store.client.log_artifacts(run_id, str(release), RELEASE)
        self._log_evidence(run_id, evidence)
        for name in LINEAGE_FILES:
            if (path := self.store.root / name).is_file():
                self.store.client.log_artifact(run_id, str(path), LINEAGE)

    def _log_evidence(self, run_id: str, evidence: Mapping[str, Path]) -> None:
        for name, path in evidence.items():
            text = path.read_text(encoding="utf-8")
            self.store.client.log_text(run_id, text, f"{EVIDENCE}/{name}")

    def _create_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.store.client.create_registered_model(self.model)
        except MlflowException as error:
            if error_code(error) != "RESOURCE_ALREADY_EXISTS":
                raise

    def _found(self, digest: str) -> Version:
        version = self.find(digest)
        if version is None:
            rule, hint = "a new version must be found again", "repeat the command"
            raise RegistryError(self._place(), rule, found=f"none of digest {digest}", hint=hint)
        return version

    def _search(self, condition: str = "") -> Iterator[Version]:
        """Yield our versions in ascending order: only this order reads rows with their tags."""
        where = f"name = '{self.model}'{condition}"
        token = None
        while True:
            with self.store.asked() as client:
                page = client.search_model_versions(
                    where, PAGE, ["version_number ASC"], page_token=token
                )
            yield from map(_version, filter(_is_ours, page))
            token = page.token
            if not token:
                return

    def _fetch(self, version: Version, name: str, folder: Path) -> Path:
        with self.store.asked() as client:
            return Path(client.download_artifacts(version.run_id, name, str(folder)))

    def _place(self) -> str:
        return f"registered model {self.model}"


def _is_ours(found: "ModelVersion") -> bool:
    return DIGEST in found.tags


def _version(found: "ModelVersion") -> Version:
    return Version(int(found.version), found.tags[DIGEST], found.run_id, dict(found.tags))
