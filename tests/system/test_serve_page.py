"""The service's page for trying a row, as a person sees it in a browser."""

import re
import subprocess
import sys
import time

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from modemap.orchestration.servers import free_port, wait_until_healthy
from modemap.release import load_release
from tests.chromium import open_chromium

pytestmark = pytest.mark.system

SECONDS = 30


@pytest.fixture(scope="module")
def page(tiny_release, tmp_path_factory):
    """Open the page of a service of the tiny release."""
    folder = tmp_path_factory.mktemp("serve")
    port = free_port()
    command = [sys.executable, "-m", "modemap.cli", "serve", "--port", str(port)]
    child = subprocess.Popen([*command, "--release", str(tiny_release)], cwd=folder)
    browser = None
    try:
        url = f"http://127.0.0.1:{port}"
        assert wait_until_healthy(f"{url}/readyz", alive=lambda: child.poll() is None)
        browser = open_chromium(folder / "profile")
        browser.get(url)
        yield browser
    finally:
        if browser:
            browser.quit()
        child.kill()
        child.wait()


def score(page, **values):
    """Fill the form in and return what the page says then."""
    for name, value in values.items():
        field = page.find_element(By.NAME, name)
        field.clear()
        field.send_keys(str(value))
    before = page.find_element(By.ID, "said").text
    page.find_element(By.TAG_NAME, "button").click()
    said = lambda _: page.find_element(By.ID, "said").text != before  # noqa: E731
    WebDriverWait(page, SECONDS).until(said)
    return page.find_element(By.ID, "said").text


def test_a_row_finds_its_place_and_its_reasons(page, tiny_release):
    """Unit, segment and percentile are the release's; the odd column leads the reasons."""
    release = load_release(tiny_release)
    expected = release.score([[500.0, 480.0]])

    said = score(page, delay=500, distance=480)

    assert re.search(rf"unit {expected.units[0]}\b", said)
    assert re.search(rf"segment {expected.segments[0]}\b", said)
    assert "99.99 % of the training rows" in said
    reasons = page.find_elements(By.CSS_SELECTOR, "#reasons tr")
    assert [row.text.split()[0] for row in reasons] == ["delay", "distance"]
    n_units = len(release.som.codebook_)
    assert len(page.find_elements(By.CSS_SELECTOR, "#map polygon:not(.here)")) == n_units
    assert len(page.find_elements(By.CSS_SELECTOR, "#map .here")) == 1


def test_a_row_that_is_wrong_is_told(page):
    """The column, the rule and what was found stand where the answer would."""
    said = score(page, delay="late", distance=480)

    assert "delay: a value must be a number or null" in said
    assert "late" in said


def test_nothing_comes_from_elsewhere(page):
    """Neither the page nor the OpenAPI page asks another host, and nothing fails in them."""
    page.get(page.current_url + "docs")
    time.sleep(1)

    assert page.find_elements(By.CSS_SELECTOR, ".opblock")
    script = "return performance.getEntriesByType('resource').map(r => new URL(r.name).hostname)"
    assert set(page.execute_script(script)) == {"127.0.0.1"}
    errors = [entry for entry in page.get_log("browser") if "422" not in entry["message"]]
    assert errors == []
