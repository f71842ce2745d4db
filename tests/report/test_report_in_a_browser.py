"""A browser shows hostile names as text and runs none of their scripts."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from test_report_page import content

from gedi.evaluation.measures import Detection
from gedi.report import write

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
SCRIPTS = [
    "<img src=x onerror=\"document.title='ran'\">",
    "\"><script>document.title='ran'</script>",
    "' onmouseover='document.title=1' style='x",
    "</title></style><svg onload=\"document.title='ran'\">",
    "javascript:document.title='ran'",
]


@pytest.fixture
def hostile(tmp_path):
    """A report whose every name is an attempt to run a script."""
    rng = np.random.default_rng(0)
    x, log_density = rng.normal(size=(60, 5)), rng.normal(size=60)
    name = "".join(SCRIPTS)
    sets = {"data": log_density, name: log_density - 1}
    figures = {"log density": {name: {"AUROC": 0.5}}}
    report = replace(
        content(x, np.arange(60) % 2, log_density, feature_names=SCRIPTS),
        title=name,
        dataset=name,
        metrics={name: 1.0},
        restarts=[{name: name, "chosen": True}],
        confusion=(np.eye(2, dtype=int), SCRIPTS[:2]),
        energies=sets,
        settings={name: {"nested": name, "list": [name]}},
        next_steps=[name],
        outliers=Detection(figures=figures, scores={"log density": sets}),
    )
    write(tmp_path / "report.html", report)
    return tmp_path / "report.html"


def dumped(page, folder):
    """The document after the browser has loaded it."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"]
    command += ["--virtual-time-budget=2000", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.skipif(BROWSER is None, reason="no Chromium to open a report in")
def test_no_script_runs(hostile, tmp_path):
    """Escaping alone stops scripts, and so does the content policy alone.

    A page with a script shows that the browser would run one.
    """
    text = hostile.read_text(encoding="utf-8")
    open_page = tmp_path / "open.html"
    policy = re.compile(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>")
    assert len(policy.findall(text)) == 1
    open_page.write_text(policy.sub("", text), encoding="utf-8")
    found = dumped(open_page, tmp_path / "profile")
    assert "<title>&lt;img src=x onerror=" in found
    assert "<script" not in found
    assert "<svg" not in found
    assert '<img src="x"' not in found
    assert found.count("&lt;script&gt;document.title='ran'&lt;/script&gt;") >= 8
    trap = tmp_path / "trap.html"
    trap.write_text(f"<title>a</title>{SCRIPTS[0]}{SCRIPTS[1]}", encoding="utf-8")
    assert "<title>ran</title>" in dumped(trap, tmp_path / "profile")
    closed = text.replace("<main>", "<main><script>document.title='ran'</script>")
    trap.write_text(closed, encoding="utf-8")
    assert "<title>ran</title>" not in dumped(trap, tmp_path / "profile")
