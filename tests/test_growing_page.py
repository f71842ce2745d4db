"""What the page on data that grow shows comes out."""

import math
import re

import pandas as pd
import pytest

from documents import DOCS, python_blocks
from gedi import GEDI
from gedi.cli import main

PAGE = DOCS / "growing.md"
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("short_reports")]


def same(shown: str, printed: str) -> bool:
    """Whether two lines have the same words and, but for rounding on other machines, numbers."""
    words = [" ".join(NUMBER.sub("#", line).split()) for line in (shown, printed)]
    if words[0] != words[1]:
        return False
    a, b = (map(float, NUMBER.findall(line)) for line in (shown, printed))
    return all(math.isclose(*pair, rel_tol=0.1, abs_tol=0.01) for pair in zip(a, b, strict=True))


def test_lines_are_the_same_but_for_rounding():
    line = "16.2% are outliers (p = 7.4e-06)."
    assert same(line, "16.1% are outliers  (p = 8.4e-06).")
    assert not same(line, "26.2% are outliers (p = 7.4e-06).")
    assert not same(line, "16.2% are new (p = 7.4e-06).")


@pytest.mark.slow
def test_the_update_prints_what_the_page_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(python_blocks(PAGE)[0], {})
    assert main(["train", "customers.csv"]) == 0
    capsys.readouterr()
    assert main(["update", "runs/customers", "may.csv"]) == 0
    printed = capsys.readouterr().out.splitlines()
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    first, last = (part.splitlines() for part in shown.split("...\n"))
    assert all(map(same, first, printed[1:])) and all(map(same, last, printed[-len(last) :]))
    assert first and last


@pytest.mark.slow
def test_the_estimator_says_the_same_of_the_same_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(python_blocks(PAGE)[0], {})
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    model = GEDI(random_state=0).partial_fit(pd.read_csv("customers.csv"))
    model.partial_fit(pd.read_csv("may.csv"))
    last = shown.split("...\n")[1].splitlines()
    assert last and all(map(same, last, str(model.drift_).splitlines()))
