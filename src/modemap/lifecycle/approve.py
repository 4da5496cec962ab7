"""Approval: a person's key signs one verdict on one release, for some hours.

The identity is the key: ``approvers`` lists who owns it, as ssh's allowed signers. OpenSSH signs
and verifies; nothing of ours handles a private key.
"""

import hashlib
import json
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from modemap.errors import GateRefusedError, ParamsError
from modemap.files import canonical_json
from modemap.lifecycle.history import History
from modemap.params import ApprovalParams, load_params
from modemap.tracking.registry import Registry, Version
from modemap.tracking.store import open_store

__all__ = [
    "REQUESTED_BY",
    "Approval",
    "approve",
    "awaits_approval",
    "has_approval",
    "require_approval",
]

NAMESPACE = "modemap-approval"  # a signature made for anything else does not count
APPROVAL, REQUESTED_BY = "modemap.approval", "modemap.requested_by"


@dataclass(frozen=True)
class Approval:
    """Who agreed to which version, and until when."""

    version: int
    identity: str
    expires: str
    signature: str  # its sha256

    def __str__(self) -> str:
        """Say it as the history keeps it."""
        return f"{self.identity}, signature {self.signature}"


def approve(root: Path, number: int, *, key: Path, why: str) -> Approval:
    """Sign the gate's verdict on version ``number`` with ``key`` and keep the signature on it.

    Raises
    ------
    GateRefusedError
        If the gate has not passed it against the present champion, or the key is not that of
        another approver than who asks.
    ParamsError
        If ssh cannot sign with the key.
    """
    params = load_params(root / "params.yaml")
    registry = Registry(open_store(root, params.project))
    version = registry.get(number)
    verdict = version.verdict
    if verdict is None or verdict["passed"] is not True:
        _refuse(version, "the gate must have passed it", found="no verdict that says so")
    if verdict["head"] != (head := History(registry).head().settled):
        found = f"a verdict given at entry {verdict['head']}, the head is {head}"
        _refuse(version, "its verdict must be on the present champion", found=found)
    expires = datetime.now(UTC) + timedelta(hours=params.approval.hours)
    statement = _bound_to(version, verdict) | {"expires": expires.isoformat(), "why": why}
    text = canonical_json(statement).decode()
    signature = _ssh("-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE, text=text)
    if signature is None:
        rule, hint = "must be a key that ssh can sign with", "name the private key's file"
        raise ParamsError(key, rule, found="ssh-keygen refused", hint=hint)
    record = json.dumps({"statement": text, "signature": signature})
    approval = _checked(root, version, verdict, record, params.approval)
    registry.set_tag(version, APPROVAL, record)
    return approval


def awaits_approval(root: Path, number: int) -> Version | None:
    """Return version ``number`` if only an approval of its present verdict is missing.

    One that was given and does not hold is not missing: promoting says why it does not.
    """
    version = _to_be_approved(root, number)
    return None if version is None or _is_given(version) else version


def has_approval(root: Path, number: int) -> bool:
    """Tell whether somebody has approved the present verdict on version ``number``.

    It is then the verdict to promote by: judging again would make another one, with other
    measurements, of which nobody has heard.
    """
    version = _to_be_approved(root, number)
    return version is not None and _is_given(version)


def _to_be_approved(root: Path, number: int) -> Version | None:
    """Return the version if params ask for an approval and it has passed against the champion."""
    params = load_params(root / "params.yaml")
    if not params.approval.required:
        return None
    registry = Registry(open_store(root, params.project))
    version, head = registry.get(number), History(registry).head()
    verdict = version.verdict
    has_passed = (
        verdict is not None and verdict["passed"] is True and verdict["head"] == head.settled
    )
    return version if has_passed and head.champion != version.number else None


def _is_given(version: Version) -> bool:
    """Tell whether an approval of its verdict lies on ``version``, be it valid or not."""
    try:
        statement = json.loads(json.loads(version.tags[APPROVAL])["statement"])
    except (ValueError, LookupError, TypeError):
        return False
    bound = _bound_to(version, version.verdict or {})
    return isinstance(statement, dict) and bound.items() <= statement.items()


def require_approval(
    root: Path, version: Version, verdict: dict[str, Any], params: ApprovalParams
) -> Approval:
    """Return the approval of this very verdict.

    Raises
    ------
    GateRefusedError
        If there is none that holds now.
    """
    record = version.tags.get(APPROVAL)
    if record is None:
        _refuse(version, "waits for an approval", found="none")
    return _checked(root, version, verdict, record, params)


def _checked(
    root: Path, version: Version, verdict: dict[str, Any], record: str, params: ApprovalParams
) -> Approval:
    rule = "must be approved by another person's key, for this verdict and now"
    try:
        found = json.loads(record)
        text, signature = str(found["statement"]), str(found["signature"])
        statement = json.loads(text)
        expires = datetime.fromisoformat(statement["expires"])
        is_over = expires <= datetime.now(UTC)
    except (ValueError, LookupError, TypeError) as error:
        _refuse(version, rule, found=f"no approval: {type(error).__name__}: {error}")
    identity = _signer(root / params.approvers, text, signature)
    if identity is None:
        _refuse(version, rule, found=f"no signature of a key in {params.approvers}")
    if identity.casefold() == version.tags.get(REQUESTED_BY, "").casefold():
        _refuse(version, rule, found=f"the key of {identity}, who asks for it")
    if any(statement.get(name) != value for name, value in _bound_to(version, verdict).items()):
        _refuse(version, rule, found=f"an approval of {identity} for another verdict")
    if is_over:
        _refuse(version, rule, found=f"an approval of {identity} that held until {expires}")
    sha256 = hashlib.sha256(signature.encode()).hexdigest()
    return Approval(version.number, identity, statement["expires"], sha256)


def _bound_to(version: Version, verdict: dict[str, Any]) -> dict[str, Any]:
    """Return what a signature holds for: with the next champion all of it is over."""
    return {"digest": version.digest, "verdict": verdict["sha256"], "head": verdict["head"]}


def _signer(approvers: Path, text: str, signature: str) -> str | None:
    """Return who of ``approvers`` signed ``text``, None if nobody did."""
    with tempfile.TemporaryDirectory(prefix="modemap-approval-") as folder:
        file = Path(folder, "signature")
        file.write_text(signature, encoding="utf-8")
        keys = ("-f", str(approvers), "-s", str(file), "-n", NAMESPACE)
        names = _ssh("-Y", "find-principals", *keys)
        for name in (names or "").splitlines():
            if _ssh("-Y", "verify", *keys, "-I", name, text=text) is not None:
                return name
    return None


def _ssh(*arguments: str, text: str = "") -> str | None:
    """Return what ssh-keygen prints, None if it refuses."""
    try:
        done = subprocess.run(
            ["ssh-keygen", *arguments], input=text, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        rule, hint = "approvals need OpenSSH", "install it: the package openssh-client"
        raise ParamsError("ssh-keygen", rule, found="no such program", hint=hint) from None
    return None if done.returncode else done.stdout


def _refuse(version: Version, rule: str, *, found: str) -> NoReturn:
    raise GateRefusedError(
        f"version {version.number}",
        rule,
        found=found,
        hint=f"an approver runs `modemap approve {version.number} --key FILE --why TEXT`, then"
        f" `modemap promote {version.number}`",
    )
