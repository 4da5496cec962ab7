"""How people name a release."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from modemap.errors import RegistryError
from modemap.lifecycle.candidate import Candidate, LocalCandidate, Promoted, RegisteredCandidate
from modemap.lifecycle.history import History
from modemap.tracking.lineage import COMMIT, commit_of
from modemap.tracking.registry import CHAMPION, Registry, Version

__all__ = ["HERE", "find_candidate"]

HERE = "here"  # the release in the checkout
SHORTEST = 6  # characters that name a digest, a run or a commit


def find_candidate(root: Path, name: str, registry: Callable[[], Registry]) -> Candidate:
    """Return the release that ``name`` is of; only a registered one is asked of ``registry``.

    Parameters
    ----------
    root : Path
        The project's folder.
    name : str
        A version's number; ``champion``; ``here``, the release in ``models/release``; the beginning
        of the digest, of the run or of the commit of a version; or a git revision that one was
        made at, such as a tag or ``HEAD~1``.
    registry : callable
        Opens the registry.

    Raises
    ------
    RegistryError
        If it is the name of no release, or of several.
    """
    if name == HERE:
        return LocalCandidate(root)
    opened = registry()
    if name == CHAMPION:
        return RegisteredCandidate(opened, _champion(opened))
    if name.isdecimal() and len(name) < SHORTEST:
        return RegisteredCandidate(opened, opened.get(int(name)))
    commit = commit_of(root, name)
    versions = opened.versions()
    found = [v for v in versions if len(name) >= SHORTEST and _begins_with(v, name)]
    found = found or [v for v in versions if commit and v.tags.get(COMMIT) == commit]
    if len(found) != 1:
        _refuse(name, [version.number for version in found], is_short=commit is None)
    return RegisteredCandidate(opened, found[0])


def _champion(registry: Registry) -> Version:
    champion = Promoted.of(registry, History(registry).head())
    if champion is None:
        rule, hint = "must have been promoted", "run `modemap promote`, or name a version"
        raise RegistryError(CHAMPION, rule, found="none yet", hint=hint)
    version = registry.get(champion.number)
    if version.digest != champion.digest:
        rule = f"its digest must be the history's, {champion.digest}"
        hint = "`modemap verify` names what was changed"
        raise RegistryError(CHAMPION, rule, found=version.digest, hint=hint)
    return version


def _begins_with(version: Version, name: str) -> bool:
    names = (version.digest, version.run_id, version.tags.get(COMMIT, ""))
    return any(known.startswith(name) for known in names)


def _refuse(name: str, numbers: Sequence[int], *, is_short: bool) -> NoReturn:
    hint = f"see `modemap history` and MLflow's pages, or name `{HERE}`, the checkout's release"
    if is_short and len(name) < SHORTEST:
        rule = f"a digest, run or commit must have at least {SHORTEST} characters"
        raise RegistryError(name, rule, found=name, hint=hint)
    found = f"versions: {', '.join(map(str, numbers)) or 'none'}"
    raise RegistryError(name, "must name one version", found=found, hint=hint)
