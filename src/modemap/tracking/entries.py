"""Numbered entries that can be added and read in order, kept as versions of a registered model.

The store hands out the numbers: contiguous, each once, also among many writers. An entry appears
with all its tags or not at all.
"""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from modemap.tracking._client import error_code
from modemap.tracking.store import Store

__all__ = ["Entries"]

PAGE = 1000


class Entries:
    """The entries under one name.

    Parameters
    ----------
    store : Store
        Where they are kept.
    name : str
        Name of the registered model whose versions they are.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name

    def create(self) -> None:
        """Make the list unless it is there."""
        from mlflow.exceptions import MlflowException

        with self.store.asked() as client:
            try:
                client.create_registered_model(self.name)
            except MlflowException as error:
                if error_code(error) != "RESOURCE_ALREADY_EXISTS":
                    raise

    def append(self, tags: Mapping[str, str]) -> None:
        """Add an entry; an error leaves open whether it was stored."""
        with self.store.asked() as client:
            source = f"history:/{self.name}"
            client.create_model_version(self.name, source, tags=dict(tags), await_creation_for=0)

    def after(self, number: int = 0) -> Iterator[tuple[int, Mapping[str, str]]]:
        """Yield number and tags of the entries after ``number``, in ascending order.

        Rows and tags are two reads of the database; only this order cannot tear them.
        """
        while True:
            where = f"name = '{self.name}' and version_number > {number}"
            with self.store.asked() as client, _uncollected():
                page = client.search_model_versions(where, PAGE, ["version_number ASC"])
            for entry in page:
                number = int(entry.version)
                yield number, dict(entry.tags)
            if not page.token:
                return


@contextmanager
def _uncollected() -> Iterator[None]:
    """Leave garbage alone in the block: it would be looked for among all rows again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
