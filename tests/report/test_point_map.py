"""The map of points: its data, its content policy, and hostile texts."""

import base64
import gzip
import hashlib
import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from gedi.report.point_map import map_page, point_map

HOSTILE = (
    "</script><script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


def made(n=50, **options):
    rng = np.random.default_rng(0)
    clusters = np.arange(n) % 2
    return point_map(
        rng.random((n, 2)),
        clusters,
        ["first", HOSTILE],
        ["#112233", "#445566"],
        log_density=np.arange(n) * 1.0,
        titles=[f"{HOSTILE} {k}" for k in range(n)],
        **options,
    )


def content(points):
    return json.loads(gzip.decompress(base64.b64decode(points.data)))


def test_points_come_with_their_groups_and_texts():
    found = content(made(400))
    assert len(found["x"]) == len(found["texts"]) == 400 and found["k"][:3] == [0, 1, 0]
    assert found["ring"] == [0, 1, 2, 3]  # the least likely percent
    assert found["groups"][1]["name"] == HOSTILE and found["sprite"] is None
    assert max(found["x"] + found["y"]) <= 65535 and max(map(len, found["texts"])) <= 140


def test_equal_points_give_equal_maps():
    assert made().data == made().data


def test_pictures_are_in_one_sheet():
    pictures = np.full((50, 3, 8, 8), 128, np.uint8)
    sprite = content(made(pictures=pictures))["sprite"]
    assert sprite["source"].startswith("data:image/webp;base64,") and len(sprite["places"]) == 50


def test_a_page_allows_its_own_script_alone():
    points = made()
    page = map_page("Map", points)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = html.unescape(re.search(r'Policy" content="([^"]*)"', page)[1])
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert "onerror" not in page and "'ran'" not in page


@pytest.mark.skipif(BROWSER is None, reason="needs chromium")
def test_a_browser_draws_it_and_runs_nothing_else(tmp_path):
    file = tmp_path / "map.html"
    file.write_text(map_page("Map", made(2000)), "utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--virtual-time-budget=5000", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    page = done.stdout
    assert 'class="card map ready"' in page and "data-drawn" in page
    assert "<title>Map</title>" in page
