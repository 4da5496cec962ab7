"""docs/bad-input.md knows every case of the table, and no other."""

from tests.faults.cases import CASES
from tests.faults.page import PAGE, TABLE, heading, line


def test_the_page_has_the_cases_of_the_table_in_their_order():
    """Nothing is missing, nothing is left from before."""
    lines = PAGE.read_text().splitlines()

    found = [text for text in lines if text.startswith("##")]
    names = [text.split(" | ")[0] for text in lines if text.startswith("| ")]
    expected = [line(name, "").split(" | ")[0] for case in CASES for name in case.variants]

    assert found == [heading(case) for case in CASES]
    head = TABLE.split(" | ", maxsplit=1)[0]
    assert [name for name in names if name != head] == expected
