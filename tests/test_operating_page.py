"""What the page for operators shows runs, from top to bottom, in one folder."""

import re
import subprocess

import pytest

from documents import DOCS
from gedi.cli import main

PAGE = DOCS / "operating.md"

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("short_reports")]


def run(line):
    """The exit code of a line of shell; `gedi` runs in this process, and trains shortly."""
    command, _, _ = line.partition(" #")
    if command.startswith("gedi "):
        short = ["--max-iter", "10"] if command.startswith("gedi train ") else []
        return main([*command.split()[1:], *short])
    return subprocess.run(["bash", "-c", command], check=False).returncode


def test_the_page_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # whose cache is removed
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    names = {}
    for language, block in re.findall(r"```(python|sh)\n(.*?)```", PAGE.read_text("utf-8"), re.S):
        if language == "python":
            exec(block, names)
            continue
        for line in block.splitlines():
            _, _, code = line.partition("# exit code ")
            assert run(line) == int(code or 0), line
    assert names["unusual"] > names["most"]  # May has a new kind of customer
    written = {file.name for file in tmp_path.glob("*.csv")}
    assert {"may-clusters.csv", "may-again.csv", "may-third.csv"} <= written
    assert "never.csv" not in written
    assert "is new" in (tmp_path / "runs" / "customers-may" / "drift.txt").read_text()
    assert "unusual: " in capsys.readouterr().out
