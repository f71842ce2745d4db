"""The page in a real browser: each panel used once, narrow and wide, light and dark."""

import os
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("gradio", reason="the explorer needs the extra explore")
selenium = pytest.importorskip("selenium", reason="drives the browser")

from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="needs chromium and chromedriver"),
]
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --no-first-run "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1280,1200"
)
EXPLORE = (sys.executable, "-u", "-m", "gedi", "explore")
VERDICT = re.compile("typical|unusual|unlike anything seen")
LONGEST = 60  # seconds to wait for anything


def until(found):
    """The first true value of a function, which is called until then."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError("nothing was found in time")


class Page:
    def __init__(self, driver, address):
        self.driver, self.address = driver, address

    def open(self, *, dark=False, width=1280):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 1200, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        self.driver.get(f"{self.address}?__theme={'dark' if dark else 'light'}")
        until(lambda: self.all("button[role=tab]"))
        until(lambda: "points" in self.text("#shown textarea, #shown input"))

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return "".join(
            each.get_attribute("value") or each.text or "" for each in self.all(selector)
        )

    def press(self, selector):
        button = until(lambda: [each for each in self.all(selector) if each.is_displayed()])[0]
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()

    def tab(self, name):
        tabs = until(lambda: [b for b in self.all("button[role=tab]") if b.text == name])
        tabs[0].click()

    def overflow(self):
        return self.driver.execute_script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def errors(self):
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE"
        ]


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def served(runs, driver):
    """Pages of runs, by name."""
    processes = []

    def serve(name, *more):
        process = subprocess.Popen(
            [*EXPLORE, str(runs / name), "--no-browser", *more],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "GRADIO_TEMP_DIR": str(runs / "served")},
        )
        processes.append(process)
        for line in process.stdout:
            found = re.search(r"http://\S+", line)
            if found:
                return Page(driver, found[0])
        raise AssertionError("the page was not served")

    yield serve
    for process in processes:
        process.terminate()
        process.wait()


def test_a_table_with_a_hostile_name_is_explored(served):
    page = served("table")
    assert page.address.startswith("http://127.0.0.1:")
    page.open()
    until(lambda: "nats" in page.text("#chosen textarea"))  # a point is chosen at the start
    until(lambda: "collapse gap" in page.text("#verdict textarea"))
    until(lambda: page.all("#map iframe") and page.all("#features img"))
    page.press("#overview [data-testid=cell-0-1]")
    until(lambda: "of 60 points" not in page.text("#shown textarea, #shown input"))
    first = page.text("#chosen textarea")
    page.press("#gallery [data-testid=cell-1-1]")
    until(lambda: page.text("#chosen textarea") != first)
    page.tab("Generate")
    until(lambda: "done" in page.text("#chains textarea, #chains input"))  # drawn at the start
    page.tab("New points")
    until(lambda: page.all("#rows textarea"))[0].send_keys("1,2,0")
    page.press("#ask")
    until(lambda: VERDICT.search(page.text("#verdicts")))
    assert page.driver.title == "GEDI explorer"  # nothing of the data has run
    assert not page.all("img[src=x]")
    assert page.errors() == []


@pytest.mark.slow
def test_every_panel_answers(served, runs, tmp_path):
    page = served("images", "--against", str(runs / "images"))
    page.open()
    until(lambda: len(page.all("#gallery button.thumbnail-item")) == 40)
    until(lambda: len(page.all("#overview button.thumbnail-item")) == 10)
    until(lambda: page.all("#map iframe"))  # the last part of the whole
    time.sleep(1)  # the menu that came with it lists the points again
    page.all("#gallery button.thumbnail-item")[3].click()
    until(lambda: "nats" in page.text("#chosen textarea"))
    until(lambda: len(page.all("#nearest button.thumbnail-item")) == 8)
    page.all("#search textarea, #search input")[0].send_keys("20-24" + Keys.ENTER)
    until(lambda: "5 of 5 points" in page.text("#shown textarea, #shown input"))

    page.tab("New points")
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "one.png")
    until(lambda: page.all("#files input[type=file]"))[0].send_keys(str(tmp_path / "one.png"))
    until(lambda: "one" in page.text("#files"))
    page.press("#ask")
    until(lambda: VERDICT.search(page.text("#verdicts")))

    page.tab("Generate")
    page.press("#draw")
    until(lambda: "done" in page.text("#chains textarea, #chains input"))
    assert len(page.all("#samples button.thumbnail-item")) == 8

    page.tab("Change")
    page.press("#interpolate")
    until(lambda: len(page.all("#way button.thumbnail-item")) == 9)
    page.press("#fill")
    until(lambda: len(page.all("#filled button.thumbnail-item")) == 7)

    page.tab("Names")
    choose(page, "#which", 1)
    page.all("#name textarea, #name input")[0].send_keys("zeros")
    page.press("#rename")
    until(lambda: "zeros" in page.text("#names"))
    choose(page, "#keep", 0)
    choose(page, "#other", 2)
    page.press("#merge")
    until((runs / "images" / "names.json").exists)

    page.tab("Compare")
    until(lambda: "1" in page.text("#figures"))
    assert page.errors() == []


def choose(page, selector, place):
    """Choose an entry of a menu."""
    field = until(lambda: [e for e in page.all(f"{selector} input") if e.is_displayed()])[0]
    until(lambda: not page.all("ul[role=listbox]"))  # the menu before has closed
    field.click()
    options = until(lambda: page.all("ul[role=listbox] li"))
    options[place].click()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["images", "table", "plane"])
def test_pages_fit_and_are_readable(served, name):
    page = served(name)
    for width in (1280, 390):
        for dark in (False, True):
            page.open(dark=dark, width=width)
            for tab in ("Clusters", "Generate", "Names"):
                if width == 1280:
                    page.tab(tab)
                assert page.overflow() <= 0, (name, width, tab)
            color, ground = page.driver.execute_script(
                "const style = getComputedStyle(document.querySelector('#title textarea, "
                "#title input')); return [style.color, "
                "getComputedStyle(document.querySelector('gradio-app')).backgroundColor]"
            )
            assert abs(luminance(color) - luminance(ground)) > 0.5


def luminance(color):
    red, green, blue = (int(float(part)) / 255 for part in re.findall(r"[\d.]+", color)[:3])
    return 0.21 * red + 0.72 * green + 0.07 * blue


@pytest.mark.slow
def test_panels_are_reached_by_the_keyboard(served):
    page = served("plane")
    page.open()
    body = page.all("body")[0]
    body.click()
    for _ in range(30):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        focused = page.driver.switch_to.active_element
        if focused.get_attribute("role") == "tab" and focused.text == "Generate":
            break
    focused.send_keys(Keys.ENTER)
    until(lambda: [each for each in page.all("#draw") if each.is_displayed()])
