"""The notebooks run in a kernel of their own, and what their words claim is so."""

import shutil

import nbformat
import pytest
from nbclient import NotebookClient

from tests.projects import CHECKOUT

EXAMPLES = CHECKOUT / "examples"
PAGE = (CHECKOUT / "docs" / "tutorials" / "notebooks.md").read_text()
CLAIMS = {  # notebook -> what holds at its end
    "flights": [
        "len(rows) + np.sum(~kept) == len(flights) == 27004",
        "torn < 0.05",
        "together[4, 3] > 0.9 and together[1, 2] > 0.9",
        "len(sizes) == 6 and sizes.min() > 0",
        "np.abs(deltas).max(axis=0).min() > 0.3",
        "np.abs(surprise.sum(axis=1) + log_likelihood[strangest]).max() < 1e-6",
        "percentiles.min() > 90",
    ],
    "digits": [
        "purity_of_units > 0.9",
        "found[12][0] > 0.7 and found[12][1] > 0.75 and found[12][2] > 0.85",
        "found[12][0] > found[10][0]",
        "max(by_chance[:2]) < 0.05 < by_chance[2]",
    ],
    "penguins": [
        "len(penguins) == 344 and len(rows) + np.sum(~kept) == 344",
        "np.isnan(measures[~kept]).all() and np.sum(~kept) == 2 and n_unsexed == 9",
        "(som.n_rows_, som.n_columns_) == (10, 10)",
        "deltas[2, 2] > 0.9 and deltas[3, 2] > 0.9 and deltas[1, 2] < -0.9",
        "deltas[0, 0] < -0.7 and deltas[2, 0] < -0.7 and deltas[:2, 1].min() > 0.5",
        "rand > 0.75 and abs(by_chance) < 0.05",
        "set(species[segment == 2]) == {'Gentoo'} and 'Gentoo' not in species[segment != 2]",
        "shared < 0.1 * on_unit.shape[1]",
        "set(strayed['sex']) == {'female'} and len(strayed) > 10",
        "np.ptp(scores[:, 0]) < 0.05 < 0.15 < np.ptp(scores[:, 1])",
        "(scores[:, 1] < 0.7).sum() == 1 and (scores[:, 1:].argmax(axis=1) == 0).all()",
        "sum(largest > 0.75) == 4 and rand_of_both > rand_of_species + 0.1",
    ],
    "money": [
        "np.array_equal(back, X) and normalizer.decimals_ == [2]",
        "np.array_equal(again[inside], X[inside])",
        "kept[0, 0] == yacht[0, 0] != lost[0, 0]",
        "coded_gaps.modes.ravel()[1] == 255 and np.isnan(back_gaps).sum() == 1",
        "network.shape == (len(X), 1 + len(sampled.modes()[0]))",
        "(network[:, 1:].sum(axis=1) == 1).all() and np.abs(network).max() <= 1",
        "np.array_equal(sampled.inverse_transform(coded), X)",
        "np.array_equal(new_amounts, new_amounts.round(2))",
    ],
    "drift": [
        "list(checks) == list(range(2, 13))",
        "checks[2].drift is False and all(checks[month].drift for month in range(3, 13))",
        'all("speed" in drifted[month] for month in range(3, 12))',
        'sum("air_time" in drifted[month] for month in range(3, 12)) >= 5',
        'drifted[12] == ["dep_delay", "arr_delay"]',
        'not {"distance", "carrier", "origin"} & {n for ns in drifted.values() for n in ns}',
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLAIMS)
def test_what_a_notebook_says_is_so(name, tmp_path, monkeypatch):
    """Its cells run beside the examples' tables, and then its claims are tried one by one."""
    for variable in ("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "TMPDIR"):
        folder = tmp_path / variable
        folder.mkdir()
        monkeypatch.setenv(variable, str(folder))
    monkeypatch.setenv("MPLBACKEND", "agg")
    for table in EXAMPLES.glob("*.csv"):
        shutil.copy(table, tmp_path)
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    tried = "\n".join(f"assert {claim}, {claim!r}" for claim in CLAIMS[name])
    notebook.cells.append(nbformat.v4.new_code_cell(tried))
    resources = {"metadata": {"path": str(tmp_path)}}

    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()

    assert notebook.cells[-1]["execution_count"] is not None


@pytest.mark.parametrize("name", ["colours", *CLAIMS])
def test_notebooks_are_kept_without_outputs_and_named_on_the_site(name):
    """What they print is made anew by who opens them."""
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert f"](../../examples/{name}.ipynb)" in PAGE


def test_no_notebook_is_left_out():
    """Each is run by a test."""
    assert {path.stem for path in EXAMPLES.glob("*.ipynb")} == {"colours", *CLAIMS}
