"""The panels of a run on texts: texts in place of features, and the map in a frame of its own."""

import html

import pandas as pd
import pytest

gr = pytest.importorskip("gradio", reason="the explorer needs the extra explore")

import small_texts  # noqa: E402
from gedi.cli import main  # noqa: E402
from gedi.explorer.app import page_of  # noqa: E402
from gedi.explorer.clusters_panel import shown_point  # noqa: E402
from gedi.explorer.desk import Desk  # noqa: E402
from gedi.explorer.map_frame import map_html  # noqa: E402
from gedi.explorer.overview import cards  # noqa: E402
from gedi.explorer.uploads import points_of_texts  # noqa: E402
from gedi.explorer.uploads_panel import verdict_frame  # noqa: E402
from gedi.runs import Run  # noqa: E402
from short_reports import with_few_moves, without_charts  # noqa: E402

HOSTILE = "<script>document.title='ran'</script><img src=x onerror=alert(1)> bake the bread"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    found, _ = small_texts.texts()
    found[-1] = HOSTILE
    pd.DataFrame({"body": found}).to_csv(folder / "tickets.csv", index=False)
    command = ["train", str(folder / "tickets.csv"), "--text", "body", "--n-clusters", "3"]
    command += ["--features", small_texts.text_model(), "--max-iter", "20", "--device", "cpu"]
    command += ["--restarts.n", "1", "--encoder.hidden", "[16]", "--out", str(folder / "run")]
    with without_charts(), with_few_moves():
        assert main(command) == 0
    return Desk.open(Run.open(folder / "run"))


def test_texts_are_shown_in_place_of_features(desk):
    page = page_of(desk.run)
    labels = {block.label for block in page.blocks.values() if isinstance(block, gr.Tab)}
    assert labels == {"Clusters", "New points", "Generate", "Names"}
    description, *_, nearest = shown_point(desk, 0)
    assert "How do I bake the bread?" in description
    assert nearest.columns.tolist() == ["text", "point", "cluster", "log-density"]
    assert "feature" not in " ".join(cards(desk)["what stands out"])
    assert set(desk.gallery(None, "in row order", "BREAD")) == {0, 12, 24, 36, 48, 59}


def test_pasted_texts_are_predicted_and_not_kept(desk):
    before = sorted((desk.run.path / "features").iterdir())
    table = verdict_frame(desk, points_of_texts(desk.run, "bake the bread\n\nwin the league"))
    assert table["point"].tolist() == ["bake the bread", "win the league"]
    assert table["cluster"].nunique() == 2
    assert sorted((desk.run.path / "features").iterdir()) == before


def test_the_map_is_in_a_frame_that_cannot_reach_the_page(desk):
    frame = map_html(desk)
    assert frame.startswith("<iframe") and 'sandbox="allow-scripts"' in frame
    assert "<script" not in frame and "<script" in html.unescape(frame)


def test_hostile_texts_are_escaped(desk):
    place = len(desk.population.rows) - 1
    page = (desk.run.path / "report.html").read_text("utf-8")
    for document in (page, map_html(desk), html.unescape(map_html(desk))):
        assert "<img" not in document.replace('<img src="data:', "")
        assert "<script>document" not in document
    description, *_, nearest = shown_point(desk, place)
    assert HOSTILE in description  # shown as it is, by components that show text
    assert isinstance(nearest, pd.DataFrame)
