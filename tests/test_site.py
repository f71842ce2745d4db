"""What the pages of the site show must run, and each page must be found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from documents import DOCS, ROOT, commands, python_blocks
from gedi.cli.parser import build_parser

PAGES = sorted(DOCS.rglob("*.md"))
ELSEWHERE = {"estimators.md", "rules.md"}  # run by test_readme, which looks at their results

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


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if python_blocks(page) and name_of(page) not in ELSEWHERE],
    ids=name_of,
)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in python_blocks(page):
        exec(compile(block, name_of(page), "exec"), names)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name_of)
def test_commands_are_understood(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in commands(page):
        options = build_parser().parse_args(arguments)
        assert options.command == arguments[0], arguments


def test_every_page_is_in_the_navigation() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    listed = list(places(settings["nav"]))
    assert len(listed) == len(set(listed))
    assert set(listed) == {name_of(page) for page in PAGES}
