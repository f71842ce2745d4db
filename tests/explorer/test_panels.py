"""The answers of each panel, without a browser."""

import numpy as np
import pandas as pd
import pytest

gr = pytest.importorskip("gradio", reason="the explorer needs the extra explore")

from gedi.cli import main  # noqa: E402
from gedi.errors import DataError  # noqa: E402
from gedi.explorer.app import page_of  # noqa: E402
from gedi.explorer.change_panel import filled_in, free_part, line_between  # noqa: E402
from gedi.explorer.clusters_panel import shown_point  # noqa: E402
from gedi.explorer.compare_panel import (  # noqa: E402
    _moved,
    agreement_table,
    clusters_by,
    moved_points,
)
from gedi.explorer.desk import Desk  # noqa: E402
from gedi.explorer.figures import frame_of, tile  # noqa: E402
from gedi.explorer.generate_panel import chain_positions  # noqa: E402
from gedi.explorer.map_frame import map_html  # noqa: E402
from gedi.explorer.names_panel import names_frame  # noqa: E402
from gedi.explorer.overview import cards, verdict_text  # noqa: E402
from gedi.explorer.uploads import points_of_files, points_of_text  # noqa: E402
from gedi.explorer.uploads_panel import verdict_frame  # noqa: E402
from gedi.runs import Run  # noqa: E402
from gedi.runs.names import ClusterNames  # noqa: E402


@pytest.fixture(scope="module")
def desks(runs):
    return {name: Desk.open(Run.open(runs / name)) for name in ("images", "plane", "table")}


@pytest.mark.parametrize("name", ["images", "plane", "table"])
def test_any_run_has_a_page(runs, name):
    page = page_of(Run.open(runs / name), Run.open(runs / name))
    labels = {block.label for block in page.blocks.values() if isinstance(block, gr.Tab)}
    assert labels == {"Clusters", "New points", "Generate", "Change", "Names", "Compare"}


def test_images_are_enlarged_without_blurring(desks):
    population = desks["images"].population
    pixels = tile(population, population.dataset.x[0])
    assert pixels.shape == (112, 112, 3) and pixels.dtype == np.uint8
    image = population.dataset.x[0].reshape(8, 8)
    np.testing.assert_array_equal(pixels[::14, ::14, 0], (image / 16 * 255).round())


@pytest.mark.parametrize("name", ["images", "plane", "table"])
def test_a_point_is_described_with_its_nearest_points(desks, name):
    desk = desks[name]
    description, posterior, density, *_, nearest = shown_point(desk, 4)
    found = desk.population.prediction_of(4)
    assert desk.population.title(4) in description
    assert f"{found.log_density[0]:.2f} nats" in description
    assert sum(posterior.values()) == pytest.approx(1)
    assert posterior[desk.names.of(int(found.clusters[0]))] == max(posterior.values())
    assert density.axes and len(nearest) == 8


@pytest.mark.parametrize("name", ["images", "plane", "table"])
def test_the_page_opens_on_all_clusters(desks, name):
    desk = desks[name]
    population = desk.population
    clusters = population.prediction.clusters
    sizes = np.bincount(clusters, minlength=population.n_clusters)
    shown = cards(desk)
    if name == "images":
        assert [caption for _, caption in shown] == [f"{k}: {n:,}" for k, n in enumerate(sizes)]
    else:
        assert shown["points"].tolist() == sizes.tolist()
        assert shown["what stands out"].str.contains("high|low|close|no points").all()
    assert "collapse gap" in verdict_text(desk)
    frame = map_html(desk)
    assert "<script" not in frame and "<img" not in frame and "map-data" in frame
    # The first points come from each cluster in turn, and each is the most typical of its cluster.
    used = np.unique(clusters)
    first = desk.gallery(None, "most typical", "")[: len(used)]
    assert sorted(clusters[first]) == used.tolist()
    assert first[0] == desk.gallery(int(clusters[first[0]]), "most typical", "")[0]


def test_names_and_merges_are_used_everywhere(desks):
    desk = Desk(desks["images"].run, desks["images"].population)
    sizes = np.bincount(desk.population.prediction.clusters, minlength=10)
    desk.names = desk.names.rename(2, "twos").merge(2, 5)
    assert (f"twos ({sizes[2] + sizes[5]:,})", 2) in desk.choices()
    assert len(desk.gallery(2, "in row order", "")) == sizes[2] + sizes[5]
    table = names_frame(desk)
    assert table["name"].tolist()[5] == "twos" and table["merged into"].tolist()[5] == "2"
    *_, (words, _) = chain_positions(desk, 2, 3, 0)
    assert words.startswith("done; clusters: ")


def test_chains_are_shown_while_they_run(desks):
    seen = list(chain_positions(desks["images"], None, 5, 0))
    assert seen[0][0] == "after 0 rounds of moves" and len(seen) == 8
    assert all(x.shape == (5, 64) for _, x in seen)
    assert not np.array_equal(seen[0][1], seen[3][1])


def test_samples_of_a_table_are_those_of_the_model(desks):
    desk = desks["plane"]
    ((words, x),) = chain_positions(desk, 1, 200, 0)
    assert words.startswith("done; clusters: ") and x.shape == (200, 2)
    found = desk.population.trained.predict(x)
    assert np.mean(found.clusters == 1) > 0.9
    data = desk.population.prediction
    assert found.log_density.mean() == pytest.approx(data.log_density.mean(), abs=0.5)


@pytest.mark.parametrize(
    ("part", "n"), [("left half", 32), ("lower half", 32), ("centre", 16), ("all", 64)]
)
def test_parts_of_images(desks, part, n):
    free = free_part(desks["images"], part).reshape(8, 8)
    assert free.sum() == n
    assert free[:, 0].all() or part in ("lower half", "centre")
    assert free[-1].any() or part == "centre"


def test_lines_between_points_and_parts_filled_in(desks):
    assert len(line_between(desks["images"], 0, 1)) == 9
    filled = filled_in(desks["table"], 3, [1], 0)
    x = desks["table"].population.dataset.x[3]
    assert (filled["height"] == round(float(x[0]), 4)).all() and filled.iloc[1:, 4].nunique() > 1
    for place in (-1, 60, None):
        with pytest.raises(gr.Error, match="expected a point from 0 to 59"):
            line_between(desks["table"], place, 0)
    with pytest.raises(gr.Error, match="at least one feature"):
        filled_in(desks["table"], 3, [], 0)


# New points


def test_pasted_rows_with_and_without_names(desks):
    desk = desks["table"]
    bare = points_of_text(desk.run, "1,2,0\n3,4,1")
    name = desk.population.feature_names[1]
    named = points_of_text(desk.run, f"b,height,{name}\n0,1,2\n1,3,4\n")
    np.testing.assert_array_equal(bare.x, named.x)
    table = verdict_frame(desk, points_of_text(desk.run, "1,2,0\n90000,9,9"))
    assert table["verdict"].tolist()[1] == "unlike anything seen"
    assert table["more unusual points"].tolist()[1] == "0.0%"
    assert "typical" in table["reasons"].tolist()[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "got nothing"), ("1,2", "expected 3 numbers"), ("a,b,c\n1,2,3", "height")],
)
def test_pasted_rows_that_do_not_fit(desks, text, message):
    with pytest.raises(DataError, match=message):
        points_of_text(desks["table"].run, text)


def test_uploaded_images_of_any_size(desks, tmp_path):
    image = pytest.importorskip("PIL.Image")
    file = tmp_path / "<b>one.png"
    image.fromarray(np.full((20, 30, 3), 255, np.uint8)).save(file)
    own = tmp_path / "own.png"
    digit = desks["images"].population.dataset.x[7]
    image.fromarray((digit.reshape(8, 8) / 16 * 255).round().astype(np.uint8)).save(own)
    points = points_of_files(desks["images"].run, [file, own], (0.0, 16.0))
    np.testing.assert_allclose(points.x[0], 16, rtol=1e-5)
    np.testing.assert_allclose(points.x[1], digit, atol=0.05)
    verdicts = verdict_frame(desks["images"], points)["verdict"].tolist()
    assert verdicts[0] == "unlike anything seen" != verdicts[1]


def test_uploads_that_are_refused(desks, tmp_path, monkeypatch):
    run = desks["images"].run
    wrong = tmp_path / "a.svg"
    wrong.write_text("<svg/>")
    with pytest.raises(DataError, match=r"a.svg: expected 1 to 200 images"):
        points_of_files(run, [wrong])
    fake = tmp_path / "a.png"
    fake.write_text("no image")
    with pytest.raises(DataError, match=r"^a.png: .*image"):
        points_of_files(run, [fake])
    monkeypatch.setattr("gedi.explorer.uploads.MOST_BYTES", 4)
    with pytest.raises(DataError, match="at most 0 MiB"):
        points_of_files(run, [fake])
    with pytest.raises(DataError, match="expected one table"):
        points_of_files(desks["table"].run, [fake, fake])


def test_runs_with_equal_numbers_of_features_are_compared(desks, runs):
    desk = desks["plane"]
    same = agreement_table(desk, desk.run, desk.population.prediction.clusters)
    assert isinstance(same, pd.DataFrame) and same["NMI with the first"].tolist() == [1, 1]
    with pytest.raises(DataError, match="expected 2 features"):
        clusters_by(desk, Run.open(runs / "images"))


@pytest.mark.parametrize("name", ["images", "plane"])
def test_points_that_change_their_cluster_are_shown(desks, name):
    desk = desks[name]
    found = desk.population.prediction
    n_clusters = desk.population.n_clusters
    other = (found.clusters + 1) % n_clusters  # the same clusters with other numbers
    assert moved_points(desk, other) == []
    other[[3, 5]] = (other[[3, 5]] - 1) % n_clusters  # two points are in another one
    places = moved_points(desk, other)
    assert sorted(places) == [3, 5]
    sure = found.probabilities.max(1)
    assert sure[places[0]] >= sure[places[1]]
    shown = _moved(desk, desk.run, places, other)
    if name == "images":
        assert [", then " in caption for _, caption in shown] == [True, True]
    else:
        assert shown["in the other run"].tolist() == [str(other[place]) for place in places]


def test_columns_have_distinct_names(desks):
    frame = frame_of(desks["table"].population, ClusterNames.fresh(2), [0, 1])
    assert frame.columns.is_unique and len(frame.columns) == 6


def test_predict_writes_the_names(desks, tmp_path):
    desk = desks["plane"]
    out = tmp_path / "found.csv"
    command = ["predict", str(desk.run.path), "moons", "--out", str(out)]
    assert main(command) == 0 and "name" not in pd.read_csv(out)
    desk.names.rename(1, "upper, left").save(desk.run.path)
    assert main([*command, "--overwrite"]) == 0
    found = pd.read_csv(out, dtype={"name": str})
    assert set(zip(found["cluster"], found["name"], strict=True)) == {(0, "0"), (1, "upper, left")}
