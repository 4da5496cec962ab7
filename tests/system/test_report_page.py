"""The report as a person sees it: light, dark, and on a phone, without a network."""

import base64
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from modemap.reporting.comparison import render_comparison
from modemap.reporting.page import render_report
from modemap.reporting.story import MapPicture
from tests.chromium import open_chromium

pytestmark = pytest.mark.system

VIEWS = {  # how it is looked at: width, colours, where a picture of it starts
    "light": (1200, "light", "map"),
    "dark": (1200, "dark", "segments"),
    "phone": (360, "light", "map"),
}
PICTURED = 1400  # pixels of the page's length
PAGES = ("index.html", "data_docs/index.html")
PICTURES = os.environ.get("MODEMAP_PICTURES")  # a folder in which to keep what the browser shows
ENOUGH = 4.5  # contrast of text by WCAG 2, level AA
CONTRASTS = """
const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(channel);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ground = e => { for (; e; e = e.parentElement) {
  const c = getComputedStyle(e).backgroundColor; if (!/, 0\\)$/.test(c)) return c; } };
return [...document.querySelectorAll('p, td, th, dt, dd, a, summary, h1, h2, h3, .swatch')]
  .filter(e => e.offsetParent && e.textContent.trim())
  .map(e => { const two = [light(getComputedStyle(e).color), light(ground(e))];
    return [(Math.max(...two) + 0.05) / (Math.min(...two) + 0.05), e.outerHTML.slice(0, 90)]; });
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """Start one browser for all."""
    driver = open_chromium(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture(params=VIEWS)
def view(request):
    """Name one way of looking at the page."""
    return request.param


@pytest.fixture
def browser(chromium, view):
    """Take the browser as if it were new, cut off from any network, in one width and scheme."""
    width, scheme, _ = VIEWS[view]
    emulate(chromium, "screen", scheme)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chromium.execute_cdp_cmd("Network.enable", {})
    nothing = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    chromium.execute_cdp_cmd("Network.emulateNetworkConditions", nothing)
    chromium.get("about:blank")
    chromium.get_log("browser")  # what others left there
    return chromium


def emulate(driver, media: str, scheme: str) -> None:
    """Show the page on a screen or on paper, to somebody who likes it light or dark.

    Nothing glides: under a page that still scrolls the pointer would stand elsewhere.
    """
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


@pytest.fixture
def report(browser, promoted):
    """Open the report."""
    browser.get((promoted.root / "reports/index.html").as_uri())
    return browser


def fact(browser, name: str) -> float:
    """Return a number of the page as the browser has it."""
    (found,) = browser.find_elements(By.CSS_SELECTOR, f"data[data-fact='{name}']")[:1]
    return float(found.get_attribute("value"))


def test_the_facts_are_on_the_page(report, promoted, view):
    """Champion, rows, metrics, segments, strange rows, verdict: as the run left them."""
    evaluated = json.loads(promoted.read("reports/evaluate.json"))
    prepared = json.loads(promoted.read("reports/prepare.json"))["rows"]

    assert report.find_element(By.TAG_NAME, "h1").text == "Version 1 is the champion"
    assert fact(report, "rows") == sum(prepared.values())
    assert fact(report, "train") == prepared["train"]
    assert fact(report, "quantization_error") == evaluated["quantization_error"]
    assert fact(report, "log_likelihood") == evaluated["log_likelihood"]
    assert len(report.find_elements(By.CSS_SELECTOR, "[data-segment]")) == 6
    assert len(report.find_elements(By.CSS_SELECTOR, ".strange tbody tr")) == 20
    assert len(report.find_elements(By.CSS_SELECTOR, ".plane svg")) == 6
    assert len(report.find_elements(By.CSS_SELECTOR, "svg.histogram")) == 6
    outcomes = [cell.text for cell in report.find_elements(By.CSS_SELECTOR, ".gate .outcome")]
    assert outcomes
    assert set(outcomes) == {"✓ passed"}
    keep_picture(report, view)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_fetched_and_nothing_overflows(browser, promoted, view, name):
    """No request, no complaint of the browser, no sideways scrolling, no hidden text."""
    browser.get((promoted.root / "reports" / name).as_uri())

    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert browser.get_log("browser") == []
    width, scheme, _ = VIEWS[view]
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(20, 23, 26)") == (scheme == "dark")


@pytest.mark.parametrize("name", PAGES)
def test_text_can_be_read(browser, promoted, name):
    """Every text stands out from its ground by 4.5 to 1, and every picture has a name."""
    browser.get((promoted.root / "reports" / name).as_uri())

    faint = [where for contrast, where in browser.execute_script(CONTRASTS) if contrast < ENOUGH]
    assert faint == []
    for picture in browser.find_elements(By.CSS_SELECTOR, "svg"):
        assert picture.get_attribute("aria-label")
    for table in browser.find_elements(By.TAG_NAME, "table"):
        assert table.find_elements(By.TAG_NAME, "caption")


def test_a_unit_is_read_in_all_maps_at_once(report):
    """The arrow keys and the pointer name unit, segment, rows and every column's value."""
    maps = report.find_element(By.ID, "maps")
    reader = report.find_element(By.ID, "reader")

    maps.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    by_key = reader.text
    middle = report.find_element(By.CSS_SELECTOR, "svg.map")
    ActionChains(report).move_to_element_with_offset(middle, 3, 3).perform()

    assert by_key.startswith("unit 17 (row 1, column 1) · segment ")
    assert "dep_delay" in by_key
    assert re.search(r" to its neighbours · (\w+ (above|below) 9\d % of units · )+", by_key)
    assert reader.text.startswith("unit 136 (row 8, column 8)")


def test_a_row_is_found_by_its_key(report, promoted):
    """Words of its key lead to it, and the map shows its unit; what is not there is said."""
    scores = pq.read_table(promoted.root / "reports/scores.parquet").sort_by("log_likelihood")
    row = scores.slice(100, 1).to_pylist()[0]
    hour = f"{row['time_hour']:%Y-%m-%d %H:%M} UTC"
    wanted = report.find_element(By.ID, "wanted")

    wanted.send_keys(f"{row['carrier'].lower()} {row['flight']} {hour[:10]}")

    texts = [item.text for item in report.find_elements(By.CSS_SELECTOR, "#matches li")]
    key = f"{hour} · {row['carrier']} · {row['flight']}"
    (place,) = (
        i for i, text in enumerate(texts) if text.startswith(key + "\n") or key + " " in text
    )
    assert (
        f"unit {row['unit']}, segment {row['segment']}, number 101 of the strangest" in texts[place]
    )

    wanted.send_keys(*[Keys.TAB] * (place + 1))
    assert report.find_element(By.ID, "reader").text.startswith(f"unit {row['unit']} (")
    assert report.execute_script("return document.documentElement.scrollWidth") <= 1200

    wanted.send_keys(" nobody")
    assert report.find_elements(By.CSS_SELECTOR, "#matches li") == []
    assert report.find_element(By.ID, "n-found").text == "no such row"
    wanted.clear()
    wanted.send_keys(Keys.SPACE)
    assert report.find_element(By.ID, "n-found").text == ""
    assert report.get_log("browser") == []


def test_a_comparison_can_be_read(browser, compared, view, tmp_path):
    """Nothing is fetched, nothing overflows, every text stands out, and every map has a name."""
    page = tmp_path / "comparison.html"
    page.write_text(render_comparison(*compared))
    browser.get(page.as_uri())

    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") == VIEWS[view][0]
    faint = [where for contrast, where in browser.execute_script(CONTRASTS) if contrast < ENOUGH]
    assert faint == []
    maps = browser.find_elements(By.CSS_SELECTOR, "svg.map")
    sizes = {
        name: picture.size for picture in maps if (name := picture.get_attribute("aria-label"))
    }
    assert len(sizes) == len(maps)
    assert all(min(size.values()) > 40 for size in sizes.values()), sizes


def test_columns_are_chosen(report):
    """By a word or several of their names: planes and reader show these alone."""
    choice = report.find_element(By.ID, "choice")
    planes = report.find_elements(By.CSS_SELECTOR, ".plane")

    choice.send_keys("DELAY, spe", Keys.ARROW_LEFT)

    shown = [plane.text.split("\n")[0] for plane in planes if plane.is_displayed()]
    assert shown == ["dep_delay", "arr_delay", "speed"]
    assert report.find_element(By.ID, "n-chosen").text == "3 of 6 columns"
    assert report.find_element(By.ID, "reader").text == ""  # the arrow is the text's
    report.find_element(By.ID, "maps").send_keys(Keys.ARROW_DOWN)
    read = report.find_element(By.ID, "reader").text
    assert "dep_delay" in read
    assert "distance" not in read
    choice.clear()
    choice.send_keys("nothing")
    assert not any(plane.is_displayed() for plane in planes)
    choice.send_keys(*[Keys.BACKSPACE] * 7)
    assert all(plane.is_displayed() for plane in planes)
    assert report.find_element(By.ID, "n-chosen").text == ""


def test_a_large_map_is_read_unit_by_unit(browser, story, tmp_path):
    """A map of 100 x 100 units and 20 columns: the last unit is found under the pointer."""
    rng = np.random.default_rng(0)
    shape = (100, 100)
    planes = {f"column {i}": rng.random(shape) for i in range(20)}
    hits = rng.integers(0, 50, shape)
    picture = MapPicture(rng.random(shape), hits, hits % 3, planes, is_hexagonal=True)
    page = tmp_path / "large.html"
    page.write_text(render_report(replace(story, models=replace(story.models, map=picture))))
    browser.get(page.as_uri())
    svg = browser.find_element(By.CSS_SELECTOR, "svg.map")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", svg)

    browser.execute_script(POINT, svg, 100, 99 * 3**0.5 / 2 + 3**-0.5)

    read = browser.find_element(By.ID, "reader").text
    assert read.startswith("unit 9999 (row 99, column 99)")
    assert f"{hits[-1, -1]} rows" in read


@pytest.fixture
def hexagons(browser, story, tmp_path):
    """Open the report of a hexagonal torus of 2 x 3 units."""
    picture = replace(story.models.map, is_hexagonal=True, is_toroidal=True)
    page = tmp_path / "hexagons.html"
    page.write_text(render_report(replace(story, models=replace(story.models, map=picture))))
    browser.get(page.as_uri())
    return browser


@pytest.mark.parametrize(
    ("x", "y", "unit"),
    [
        (2.5, 0.6, "unit 2 (row 0, column 2)"),
        (3.0, 1.4, "unit 5 (row 1, column 2)"),
        (0.5, 1.1, "unit 0 (row 0, column 0)"),  # the corner that it pushes into the next row
        (0.1, 1.6, "unit 3 (row 1, column 0)"),  # left of the row, which is shifted
    ],
)
def test_the_pointer_reads_the_hexagon_under_it(hexagons, x, y, unit):
    """Wherever the pointer is, the unit whose middle is the nearest is read and framed."""
    svg = hexagons.find_element(By.CSS_SELECTOR, "svg.map")
    hexagons.execute_script("arguments[0].scrollIntoView({block: 'center'})", svg)

    hexagons.execute_script(POINT, svg, x, y)

    assert hexagons.find_element(By.ID, "reader").text.startswith(unit)
    column, row = int(unit[-2]), int(unit.split("row ")[1][0])
    moved = svg.find_element(By.CSS_SELECTOR, ".cursor").get_attribute("transform")
    to = [float(number) for number in re.findall(r"[\d.]+", moved)]
    assert to == pytest.approx([column + (1 if row else 0.5), row * 3**0.5 / 2 + 3**-0.5])


POINT = """
const [svg, x, y] = arguments;
const at = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
const where = {clientX: at.x, clientY: at.y, bubbles: true};
svg.dispatchEvent(new PointerEvent('pointermove', where));
"""


def test_what_tells_a_unit_from_the_others_is_said(hexagons):
    """By the share of units below or above it; what is the same everywhere tells nothing."""
    maps = hexagons.find_element(By.ID, "maps")
    reader = hexagons.find_element(By.ID, "reader")

    maps.send_keys(Keys.ARROW_LEFT)
    assert " · delay below" not in reader.text  # two of six units are lower
    maps.send_keys(Keys.ARROW_UP)
    assert reader.text.startswith("unit 5 ")
    assert " to its neighbours · delay above 91 % of units · delay 5 ·" in reader.text
    assert "distance above" not in reader.text
    assert "distance below" not in reader.text


def test_arrow_keys_go_round_a_torus(hexagons):
    """Beyond an edge lies the opposite one; nothing overflows and everything has a name."""
    maps = hexagons.find_element(By.ID, "maps")

    maps.send_keys(Keys.ARROW_UP, Keys.ARROW_LEFT)

    assert hexagons.find_element(By.ID, "reader").text.startswith("unit 5 (row 1, column 2)")
    assert hexagons.get_log("browser") == []
    faint = [where for contrast, where in hexagons.execute_script(CONTRASTS) if contrast < ENOUGH]
    assert faint == []
    for picture in hexagons.find_elements(By.CSS_SELECTOR, "svg.map"):
        assert "left and right edge" in picture.get_attribute("aria-label")
        assert picture.find_element(By.CSS_SELECTOR, ".seam").is_displayed()


def test_what_a_column_is_called_cannot_run(browser, promoted, tmp_path):
    """A page into which a script was slipped all the same does not run it."""
    html = promoted.read("reports/index.html")
    page = tmp_path / "slipped.html"
    page.write_text(html.replace("<h1>", "<script>document.title = 'run'</script><h1>"))

    browser.get(page.as_uri())

    assert browser.title != "run"


def test_paper_is_light(report):
    """Printed from a dark screen too, text is dark, and what only a screen needs is left out."""
    emulate(report, "print", "dark")

    ink = report.execute_script("return getComputedStyle(document.body).color")
    assert ink == "rgb(27, 31, 36)"
    assert not report.find_element(By.TAG_NAME, "nav").is_displayed()


def keep_picture(browser, view: str) -> None:
    """Save a part of the page where the person who asked for pictures wants it."""
    if PICTURES:
        width, _, part = VIEWS[view]
        top = browser.find_element(By.ID, part).location["y"]
        clip = {"x": 0, "y": top, "width": width, "height": PICTURED, "scale": 1}
        arguments = {"clip": clip, "captureBeyondViewport": True}
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", arguments)
        Path(PICTURES, f"report-{view}.png").write_bytes(base64.b64decode(shot["data"]))
