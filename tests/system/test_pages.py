"""The pages that `make ui` serves, as a person sees them in a browser."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from modemap.orchestration.environment import tool_environment
from modemap.orchestration.servers import free_port
from tests.chromium import open_chromium

pytestmark = pytest.mark.system

PATIENCE_SECONDS = 60
PICTURES = os.environ.get("MODEMAP_PICTURES")  # a folder in which to keep what the browser shows


@pytest.fixture(scope="module")
def experimented(promoted_copy, tmp_path_factory):
    """Try a smaller map in a promoted project."""
    project = promoted_copy(tmp_path_factory.mktemp("experimented"))
    project.succeed("dvc", "exp", "run", "-S", "train_som.n_rows=12")
    return project


@pytest.fixture(scope="module")
def addresses(experimented) -> Iterator[dict[str, str]]:
    """Return the addresses of the pages of the project with two maps."""
    with served(experimented) as printed:
        yield printed


@contextmanager
def served(project) -> Iterator[dict[str, str]]:
    """Start the command of `make ui`, yield the addresses it prints, stop it by Ctrl-C."""
    ports = [f"--prefect-port={free_port()}", f"--mlflow-port={free_port()}"]
    child = subprocess.Popen(
        [sys.executable, "-m", "modemap.cli", "ui", *ports],
        cwd=project.root,
        env=tool_environment(project.root),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    printed = {}
    for line in child.stdout:
        if line.startswith("Ctrl-C"):
            break
        name, url = line.split()
        printed[name] = url
    yield printed
    child.send_signal(signal.SIGINT)
    assert child.stdout.read() == "stopped\n"
    assert child.wait(30) == 0
    child.stdout.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Open a browser without a window."""
    driver = open_chromium(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


def text_with(browser, url: str, *expected: str) -> str:
    """Open ``url`` and return the page's text once it holds everything expected."""
    browser.get("about:blank")
    browser.get(url)

    def complete(driver):
        text = " ".join(driver.find_element(By.TAG_NAME, "body").text.split())
        return text if all(part in text for part in expected) else False

    return WebDriverWait(browser, PATIENCE_SECONDS).until(complete, f"{url}: no {expected}")


def keep_picture(browser, name: str) -> None:
    """Save what the browser shows where the person who asked for pictures wants it."""
    if PICTURES:
        time.sleep(2)
        browser.save_screenshot(str(Path(PICTURES, name)))


def test_prefect_shows_the_run_with_its_stages(addresses, browser, experimented):
    """The flow run is completed, has eleven tasks, and each stage's own line is in its log."""
    listed = text_with(browser, addresses["Prefect"], "retrain", "Completed")
    assert "retrain" in listed
    link = browser.find_element(By.CSS_SELECTOR, "a[href*='/runs/flow-run/']").get_attribute("href")

    page = text_with(browser, link, "Completed", "11 Task runs", "Beginning flow run")

    rows = json.loads(experimented.read("reports/ingest.json"))["rows"]
    assert f"rows {rows:,}" in text_with(browser, link, f"rows {rows:,}")
    assert "Artifacts" in page
    keep_picture(browser, "prefect-run.png")


def test_mlflow_compares_two_maps(addresses, browser, experimented):
    """Two runs side by side: their sizes, and errors that a person can weigh."""
    url = addresses["MLflow"]
    text_with(browser, url, "train_som-", "train_mixture-", "release-", "4 matching runs")
    keep_picture(browser, "mlflow-runs.png")
    listed = experimented.succeed(sys.executable, "-c", LIST_MAPS).split()
    server, experiment = re.match(r"(.*)/#/experiments/(\d+)/", url).groups()
    runs = "%2C".join(f"%22{run}%22" for run in listed)

    page = text_with(
        browser,
        f"{server}/#/compare-runs?runs=%5B{runs}%5D&experiments=%5B%22{experiment}%22%5D",
        "Comparing 2 Runs from 1 Experiment",
        "train_som.quantization_error",
    )

    assert "n_rows 16 12" in page
    assert "train_som.topographic_error" in page
    error = browser.find_element(By.LINK_TEXT, "train_som.quantization_error")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", error)
    keep_picture(browser, "mlflow-compare.png")


def test_mlflow_says_how_good_a_run_is(addresses, browser, experimented):
    """A run's page opens with its error, its size and what it may be compared with."""
    run = experimented.succeed(sys.executable, "-c", LIST_MAPS).split()[0]
    where = addresses["MLflow"].removesuffix("/runs")

    page = text_with(browser, f"{where}/runs/{run}", "Description", "Quantization error")

    error = json.loads(experimented.succeed("git", "show", "HEAD:reports/train_som.json"))
    assert f"{error['quantization_error']:.6g}" in page
    assert "256 units" in page
    assert "compare at equal unit count only" in page


LIST_MAPS = """
from pathlib import Path
from modemap.tracking.store import open_store
store = open_store(Path.cwd(), "modemap")
where = "tags.`modemap.stage` = 'train_som'"
found = store.client.search_runs([store.experiment_id], where, order_by=["attributes.start_time"])
print(*(run.info.run_id for run in found))
"""


@pytest.fixture(scope="module")
def waiting(promoted_copy, tmp_path_factory):
    """Let a promotion wait for Ann, who then approves it, and nobody goes on."""
    project = promoted_copy(tmp_path_factory.mktemp("waiting"))
    shutil.rmtree(project.root / "mlruns")  # so that the release is a candidate again
    key = project.home / "ann"
    project.succeed("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    public = key.with_suffix(".pub").read_text()
    (project.root / "approvers").write_text(f"ann@example.org {public}")
    params = project.root / "params.yaml"
    params.write_text(params.read_text().replace("required: false", "required: true"))
    assert project.run("modemap", "run").returncode == 6
    project.succeed("modemap", "approve", "1", "--key", str(key), "--why", "looked at the report")
    return project


def test_prefect_and_mlflow_show_what_waits_for_a_person(waiting, browser):
    """The run is named as waiting, with the command; the version's page has its tags."""
    with served(waiting) as addresses:
        text_with(browser, addresses["Prefect"], "retrain", "AwaitingApproval")
        link = browser.find_element(By.CSS_SELECTOR, "a[href*='/runs/flow-run/']")
        run = link.get_attribute("href")
        page = text_with(browser, run, "AwaitingApproval", "modemap approve 1 --key FILE")
        keep_picture(browser, "prefect-approval.png")
        assert "modemap version 1, release" in page

        server = addresses["MLflow"].split("/#/")[0]
        version = text_with(browser, f"{server}/#/models/modemap/versions/1", "modemap.verdict")
        keep_picture(browser, "mlflow-version.png")

    for tag in ("modemap.approval", "modemap.commit", "modemap.digest", "modemap.requested_by"):
        assert tag in version
    digest = json.loads(waiting.read("reports/evaluate.json"))["release_digest"]
    assert digest[:16] in page
    assert digest in version
