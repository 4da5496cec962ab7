"""Entries are numbered in the order in which they were added, and read whole."""

import pytest

from modemap.errors import RegistryError
from modemap.tracking.entries import Entries

pytestmark = pytest.mark.workflow


@pytest.fixture
def entries(store):
    """Return a list of entries that is there and empty."""
    entries = Entries(store, "flights-history")
    entries.create()
    return entries


def test_entries_are_read_in_order_over_pages(entries, monkeypatch):
    """However small a page, every entry is read once, with its tags."""
    monkeypatch.setattr("modemap.tracking.entries.PAGE", 2)
    for number in range(1, 6):
        entries.append({"text": f"entry {number}"})

    assert list(entries.after()) == [(n, {"text": f"entry {n}"}) for n in range(1, 6)]
    assert [number for number, _ in entries.after(3)] == [4, 5]
    assert list(entries.after(5)) == []


def test_making_a_list_twice_keeps_its_entries(entries):
    """Creating is for whoever comes first."""
    entries.append({"text": "one"})

    entries.create()

    assert [number for number, _ in entries.after()] == [1]


def test_a_list_that_nobody_made_is_empty(store):
    """Reading makes nothing and is no error."""
    assert list(Entries(store, "other-history").after()) == []


def test_adding_to_a_list_that_nobody_made_is_told(store):
    """The store's refusal becomes an error with a code."""
    with pytest.raises(RegistryError, match="other-history"):
        Entries(store, "other-history").append({"text": "one"})
