"""scaffold.json: the facts that a project's files were made from, and what they were."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from modemap.errors import ParamsError
from modemap.files import read_json
from modemap.scaffold.render import Facts

__all__ = ["RECORD", "digest_of", "new_record", "read_record"]

RECORD = "scaffold.json"
FORMAT = 1
VERSION_LINE = re.compile(r"^  version: \S+", re.MULTILINE)


def new_record(facts: Facts, files: Mapping[str, str]) -> str:
    """Return the text of the record."""
    digests = {name: digest_of(text) for name, text in files.items()}
    document = {"format": FORMAT, "facts": facts.document(), "files": digests}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"  # columns keep their order


def read_record(folder: Path) -> tuple[Facts, dict[str, str]]:
    """Return the facts and the digest of each file as it was made.

    Raises
    ------
    ParamsError
        If there is no record, or it is none of this version's.
    """
    path = folder / RECORD
    try:
        document = read_json(path)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']}")
        known = {field.name for field in fields(Facts)}
        facts = Facts(**{name: v for name, v in document["facts"].items() if name in known})
        return facts, dict(document["files"])
    except FileNotFoundError:
        found: Any = "no such file"
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        found = f"{type(error).__name__}: {error}"
    rule, hint = "must be what `modemap init` left", "run in the project's folder, or restore it"
    raise ParamsError(path, rule, found=found, hint=hint)


def digest_of(text: str) -> str:
    """Return the sha256 of a generated file's text, whatever version stands in its params."""
    return hashlib.sha256(VERSION_LINE.sub("  version:", text, count=1).encode()).hexdigest()
