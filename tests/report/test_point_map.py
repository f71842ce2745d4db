"""The map of points: its data, its content policy, and hostile texts."""

import base64
import gzip
import hashlib
import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from gedi.data.dataset import Dataset
from gedi.model.scaling import Scaling
from gedi.report.point_map import MapPoints, map_page, map_points, point_map

HOSTILE = (
    "</script><script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


def made(n=50, pictures=None):
    rng = np.random.default_rng(0)
    points = MapPoints(
        np.arange(n),
        rng.random((n, 2), dtype=np.float32),
        [f"{HOSTILE} {k}" for k in range(n)],
        np.arange(n) * 1.0,
        np.arange(n),
        pictures,
    )
    return point_map(points, np.arange(n) % 2, ["first", HOSTILE], ["#112233", "#445566"])


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


def test_unknown_scores_are_not_ringed():
    points = replace(
        on_map(np.random.default_rng(0).normal(size=(200, 3))), scores=np.full(200, np.nan)
    )
    assert content(point_map(points, np.zeros(200, int), ["0"], ["#000000"]))["ring"] == []


def on_map(x, **options):
    """Points on a map by a model that knows nothing but their scaling."""
    n = len(x)
    trained = SimpleNamespace(scaling=Scaling.standardise(x))
    found = SimpleNamespace(
        probabilities=np.full((n, 2), 0.5), clusters=np.arange(n) % 2, log_density=np.zeros(n)
    )
    return map_points(trained, Dataset("rows", x, **options), found, np.arange(n) * 1.0)


def test_rows_of_a_table_show_the_values_that_stand_out():
    x = np.random.default_rng(0).normal(size=(200, 10))
    x[7, [2, 3, 5, 8]] = [30, -40, 50, 60]
    names = tuple("abcdefghij")
    found = on_map(x, feature_names=names)
    assert found.titles[7] == "row 7: c 30, d -40, f 50, i 60"
    assert on_map(x[:, :3], feature_names=names[:3]).titles[0].startswith("row 0: a ")
    assert found.pictures is None and found.places.shape == (200, 2)


def test_points_of_the_plane_lie_where_they_are():
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    places = on_map(x).places
    assert places[1, 0] > places[0, 0] and places[2, 1] < places[0, 1]  # upwards on the page
    np.testing.assert_allclose(places.mean(0), 0.5, atol=1e-6)


def test_far_points_of_the_plane_leave_room_for_the_others():
    x = np.random.default_rng(0).normal(size=(2000, 2))
    x[0] = 1e4
    places = on_map(x).places
    assert places[0].tolist() == [1.0, 0.0] and np.ptp(places[1:], axis=0).min() > 0.8


def test_images_show_their_pixels():
    x = np.repeat(np.array([[0, 16], [16, 0]], np.uint8), 2, axis=1)
    found = on_map(x, image_shape=(1, 2, 2), value_range=(0.0, 16.0))
    assert found.pictures.shape == (2, 3, 2, 2)
    assert found.pictures[0, 0].tolist() == [[0, 0], [255, 255]]


def test_many_points_are_thinned(monkeypatch):
    monkeypatch.setattr("gedi.report.point_map._MOST_POINTS", 50)
    found = on_map(np.random.default_rng(0).normal(size=(200, 3)))
    assert len(found.rows) == len(found.places) == len(found.titles) == len(found.scores) == 50
    assert found.scores.tolist() == found.rows.tolist() and found.titles[-1].startswith("row 199")


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
