"""The documentation and the report as a browser shows them: by themselves, and to everybody."""

import pytest
from axe_core_python.base import AXE_FILE_PATH
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from modemap.reporting.comparison import render_comparison
from tests.chromium import open_chromium

pytestmark = pytest.mark.system

PAGES = (
    "index",
    "architecture",
    "explanation/mixture",
    "reference/params",
    "reference/api/sketch",
)
SCHEMES = ("light", "dark")
GRAVE = ("serious", "critical")
SECONDS = 20
PHONE = 390


@pytest.fixture(scope="module", params=SCHEMES)
def chromium(request, tmp_path_factory):
    """Start a browser of somebody who likes pages light or dark, cut off from any network."""
    driver = open_chromium(tmp_path_factory.mktemp("chromium"))
    features = [{"name": "prefers-color-scheme", "value": request.param}]
    features.append({"name": "prefers-reduced-motion", "value": "reduce"})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.execute_cdp_cmd("Network.enable", {})
    nothing = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", nothing)
    driver.set_script_timeout(SECONDS * 6)
    yield driver
    driver.quit()


def violations(browser) -> list[tuple[str, str, list[str]]]:
    """Return what axe finds that keeps somebody from reading or using the page."""
    browser.execute_script(AXE_FILE_PATH.read_text(encoding="utf-8"))
    found = browser.execute_async_script("axe.run().then(arguments[0])")
    return [
        (rule["id"], rule["help"], [node["html"][:120] for node in rule["nodes"]])
        for rule in found["violations"]
        if rule["impact"] in GRAVE
    ]


@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_use_the_site(chromium, site, name):
    """No serious or critical violation, in either scheme."""
    chromium.get((site / f"{name}.html").as_uri())

    assert violations(chromium) == []


def test_everybody_can_use_the_report(chromium, promoted):
    """The report keeps the same rules, also while a unit is read and rows are found."""
    chromium.get((promoted.root / "reports/index.html").as_uri())
    assert violations(chromium) == []

    chromium.find_element(By.ID, "wanted").send_keys("2013", Keys.TAB)
    assert chromium.find_element(By.ID, "reader").text
    assert chromium.find_elements(By.CSS_SELECTOR, "#matches button")
    assert violations(chromium) == []


def test_everybody_can_use_a_comparison(chromium, compared, tmp_path):
    """So does the page of `modemap compare`."""
    page = tmp_path / "comparison.html"
    page.write_text(render_comparison(*compared))
    chromium.get(page.as_uri())

    assert violations(chromium) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_files_of_the_site_alone(chromium, site, name):
    """It asks no other host, the browser has no complaint, and a phone shows its whole width."""
    size = {"width": PHONE, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chromium.get((site / f"{name}.html").as_uri())

    script = "return performance.getEntriesByType('resource').map(e => e.name)"
    asked = [address for address in chromium.execute_script(script) if "://" in address]
    assert [address for address in asked if not address.startswith(site.as_uri())] == []
    assert chromium.get_log("browser") == []
    assert chromium.execute_script("return document.documentElement.scrollWidth") == PHONE
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_search_finds_a_page_that_was_opened_as_a_file(chromium, site):
    """Without a server and a worker: what is typed is found, and the link leads there."""
    chromium.get((site / "index.html").as_uri())

    chromium.execute_script("document.querySelector('.md-search__input').focus()")
    chromium.find_element(By.CSS_SELECTOR, ".md-search__input").send_keys("stick Dirichlet")
    found = WebDriverWait(chromium, SECONDS).until(
        lambda browser: browser.find_elements(By.CSS_SELECTOR, ".md-search-result__link")
    )

    assert "explanation/mixture.html" in found[0].get_attribute("href")
