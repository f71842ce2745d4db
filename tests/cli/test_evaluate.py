"""`gedi evaluate --measure`, and `gedi predict` of folders of images."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gedi.cli import main
from gedi.runs import Run
from processes import said_by
from small_images import write

pytestmark = pytest.mark.usefixtures("short_reports")

SHORT = [
    *("--n-clusters", "2", "--restarts.n", "1", "--encoder.hidden", "[16]", "--device", "cpu"),
    *("--batch-size", "32", "--evaluate-every", "10", "--max-iter", "10"),
]


def write_images(folder, n=40, seed=0, size=8, colour=False):
    """Bright columns and bright rows at random places, one folder of PNG files each."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        pixels = rng.integers(40, size=(size, size), dtype=np.uint8)
        pixels[:, rng.integers(size)] = 220
        kind = ("columns", "rows")[i % 2]
        path = folder / kind / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = pixels.T if i % 2 else pixels
        Image.fromarray(np.repeat(pixels[..., None], 3, 2) if colour else pixels).save(path)
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def images(folder):
    return write_images(folder / "train")


@pytest.fixture(scope="module")
def others(folder):
    return write_images(folder / "test", n=24, seed=1)


@pytest.fixture(scope="module")
def run(images, folder):
    out = str(folder / "run")
    assert main(["train", images, *SHORT, "--out", out]) == 0
    return out


def refused(arguments, capsys):
    capsys.readouterr()
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("gedi: error: "), lines
    return lines[0]


def figures(run, tmp_path, *arguments):
    out = tmp_path / "r.json"
    assert main(["evaluate", run, *arguments, "--out", str(out), "--overwrite"]) == 0
    return json.loads(out.read_text())


def test_all_measures_at_once(run, others, folder, tmp_path, monkeypatch):
    pytest.importorskip("torchmetrics")
    monkeypatch.setenv("COLUMNS", "200")
    out, net = tmp_path / "r.json", tmp_path / "net"
    net.mkdir()
    noise = write_images(folder / "noise", n=10, seed=2)
    measures = ("ood", "embedding", "generation", "clustering")
    said, err = said_by(
        *("evaluate", run, "--data", others, "--measure", *measures, "--against"),
        *(f"mine={noise}", others, "--features", str(net), "--n-steps", "2", "--out", str(out)),
    )
    assert err == ""
    content = json.loads(out.read_text())
    assert content["points"] == 24 and content["data"] == others and content["seed"] == 0
    by_measure = content["measures"]
    assert tuple(by_measure) == measures
    assert {"mine", "test", "shuffled"} < by_measure["ood"]["log density"].keys()
    assert by_measure["ood"]["confidence"]["mine"].keys() == {"AUROC", "AUPR", "FPR95"}
    assert 0 <= by_measure["embedding"]["knn accuracy"] <= 1
    assert by_measure["generation"]["n"] == 24 and by_measure["generation"]["rounds"] == 2
    assert by_measure["generation"]["FID"] > 0
    assert by_measure["clustering"]["NMI"] >= 0
    assert "trained now" in said and str(net / "features.safetensors") in said
    accuracy = by_measure["generation"]["feature network accuracy"]
    assert f"classifies {accuracy:.1%} of these images" in said
    assert "mine" in said and "scored on 24 others" in said
    assert [path.name for path in net.iterdir()] == ["features.safetensors"]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["r.json"]


def test_without_measures_it_is_as_it_was(run, tmp_path, capsys):
    assert main(["evaluate", run]) == 0
    plain = capsys.readouterr().out
    assert "collapse gap" in plain and "Embedding" not in plain
    assert main(["evaluate", run, "--measure", "clustering"]) == 0
    assert capsys.readouterr().out == plain
    found = figures(run, tmp_path)["measures"]
    assert found.keys() == {"clustering"}
    assert sum(found["clustering"]["cluster sizes"]) == 40


def test_a_feature_network_is_kept_and_read_again(run, others, tmp_path, capsys):
    pytest.importorskip("torchmetrics")
    copy = str(shutil.copytree(run, tmp_path / "copy"))
    arguments = ["--data", others, "--measure", "generation", "--n-samples", "8", "--n-steps", "1"]
    first = figures(copy, tmp_path, *arguments)["measures"]["generation"]
    assert "trained now and kept in" in capsys.readouterr().out
    assert first["n"] == 8
    file = tmp_path / "copy" / "features.safetensors"
    kept = file.read_bytes()
    assert figures(copy, tmp_path, *arguments)["measures"]["generation"] == first
    assert "read from" in capsys.readouterr().out and file.read_bytes() == kept
    # Images of the same shape without labels do, once the network is there.
    bare = str(Path(others, "rows"))
    arguments = ["--data", bare, *arguments[2:]]
    unknown = figures(copy, tmp_path, *arguments)["measures"]["generation"]
    assert unknown["feature network accuracy"] is None
    assert "accuracy on these images is unknown" in capsys.readouterr().out


def test_figures_hang_on_the_seed(run, tmp_path):
    arguments = ["--measure", "ood", "--n-samples", "20"]
    one, same, other = (
        figures(run, tmp_path, *arguments, "--seed", seed)["measures"] for seed in "112"
    )
    assert one == same != other
    both = figures(run, tmp_path, "--measure", "embedding", *arguments[1:], "--seed", "1")
    assert both["measures"]["ood"] == one["ood"]


def test_an_embedding_of_the_training_points_is_measured_in_halves(run, tmp_path, capsys):
    found = figures(run, tmp_path, "--measure", "embedding")["measures"]["embedding"]
    assert found["note"] == "fitted to one half of the training points, scored on the other"
    assert found["note"] in capsys.readouterr().out


def test_measures_that_are_refused(run, others, tmp_path, capsys, monkeypatch):
    pytest.importorskip("torchmetrics")
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in Path(run).iterdir())
    colour = write_images(tmp_path / "colour", n=4, colour=True)
    large = write_images(tmp_path / "large", n=4, size=9)
    bare = str(Path(others, "rows"))
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    np.save("values.npy", np.zeros((4, 8, 8)))
    for arguments, words in (
        (["--measure", "embedding", "--data", bare], "rows has no labels"),
        (["--measure", "ood", "--against", colour], "'colour': expected grey images of 8 x 8"),
        (["--measure", "ood", "--against", large], "'large': expected grey images of 8 x 8"),
        (["--measure", "ood", "--against", "values.npy"], "only one is of bytes"),
        (["--measure", "ood", "--against", others, others], "two sets are called 'test'"),
        (["--measure", "ood", "--against", f"shuffled={others}"], "another name"),
        (["--measure", "ood", "--against", "nowhere"], "no file 'nowhere'"),
        (["--measure", "generation", "--features", "no/f.safetensors"], "does not exist"),
        (["--measure", "generation", "--features", "f.txt"], "ends in .safetensors"),
        (["--measure", "generation", "--features", "inception"], "pip install 'gedi[inception]'"),
        (["--measure", "generation", "--n-steps", "-1"], "--n-steps"),
        (["--measure", "ood", "--n-samples", "1"], "--n-samples"),
        (["--measure", "ood", "--n-steps", "3"], "--n-steps: only for --measure generation"),
        (["--against", others], "--against: only for --measure ood"),
        (["--features", "."], "--features: only for --measure generation"),
        (["--measure", "beauty"], "beauty"),
        (["--out", "r.txt"], ".json"),
    ):
        assert words in refused(["evaluate", run, *arguments], capsys), arguments
    assert sorted(path.name for path in Path(run).iterdir()) == before
    assert not list(tmp_path.glob("*.json"))


def test_a_damaged_or_foreign_feature_network_is_refused(run, tmp_path, capsys):
    pytest.importorskip("torchmetrics")
    (tmp_path / "features.safetensors").write_bytes(b"no network")
    arguments = ["evaluate", run, "--measure", "generation", "--features", str(tmp_path)]
    assert "cannot be read as a feature network" in refused(arguments, capsys)


def test_runs_without_labels_density_or_images(tmp_path, capsys, images):
    pytest.importorskip("torchmetrics")
    bare, table, no_gen = (str(tmp_path / name) for name in ("bare", "table", "no gen"))
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc"))
    frame.to_csv(tmp_path / "t.csv", index=False)
    rows = str(Path(images, "rows"))
    short = [*SHORT, "--max-iter", "3"]
    assert main(["train", rows, *short, "--out", bare, "--batch-size", "8"]) == 0
    assert main(["train", str(tmp_path / "t.csv"), *short, "--out", table]) == 0
    assert main(["train", images, *short, "--weights.gen", "0", "--out", no_gen]) == 0
    generation = ["--measure", "generation"]
    assert "no labels to train a feature" in refused(["evaluate", bare, *generation], capsys)
    assert "these data are vectors" in refused(["evaluate", table, *generation], capsys)
    assert "no density" in refused(["evaluate", no_gen, *generation], capsys)
    assert "--against" in refused(["evaluate", table, "--measure", "ood"], capsys)
    assert "no labels" in refused(["evaluate", table, "--measure", "embedding"], capsys)
    assert main(["evaluate", no_gen, "--measure", "ood"]) == 0
    assert "was not trained to estimate" in capsys.readouterr().out
    against = ["--against", str(tmp_path / "t.csv")]
    found = figures(table, tmp_path, "--measure", "ood", *against)["measures"]["ood"]
    assert found["log density"]["t"]["AUROC"] == 0.5


def test_predictions_of_images_name_their_files(run, others, tmp_path):
    out = tmp_path / "c.csv"
    assert main(["predict", run, others, "--out", str(out)]) == 0
    frame = pd.read_csv(out)
    assert list(frame)[:2] == ["file", "cluster"]
    assert frame["file"][0] == "columns/0.png" and frame["file"].iloc[-1] == "rows/9.png"
    trained = Run.open(Path(run)).load_model()
    image = np.asarray(Image.open(Path(others, "rows/9.png"))).reshape(1, -1)
    assert frame["cluster"].iloc[-1] == trained.predict(image).clusters[0]


def test_smooth_images_are_unusual_in_predictions_of_images(tmp_path, capsys):
    run, target = str(tmp_path / "run"), tmp_path / "scores.csv"
    train = write_images(tmp_path / "train", n=80)
    assert main(["train", train, *SHORT, "--out", run]) == 0
    others = write_images(tmp_path / "others", n=20, seed=2)
    for i in range(10):
        write(tmp_path / "others" / "smooth" / f"{i}.png", np.full((8, 8), 20 * i, np.uint8))
    assert main(["predict", run, others, "--out", str(target)]) == 0
    frame = pd.read_csv(target, index_col="file")
    smooth = frame.index.str.startswith("smooth")
    assert smooth.sum() == 10 and list(frame)[-3:] == ["outlier_score", "p_value", "confidence"]
    assert frame["outlier_score"][smooth].max() < frame["outlier_score"][~smooth].min()
    assert (frame["p_value"][smooth] == 1 / 17).all()  # 16 images are held out
    assert "rows of numbers" in refused(
        ["predict", run, others, "--explain", "--out", str(tmp_path / "e.csv")], capsys
    )
    assert main(["evaluate", run, "--measure", "ood"]) == 0
    assert "outlier score" in capsys.readouterr().out


def test_images_that_cannot_be_read_are_left_out_of_predictions(run, tmp_path, capsys):
    images = write_images(tmp_path / "some", n=6)
    (tmp_path / "some" / "rows" / "3.png").write_bytes(b"bad")
    out = tmp_path / "c.csv"
    assert "skip-bad" in refused(["predict", run, images, "--out", str(out)], capsys)
    assert main(["predict", run, images, "--skip-bad", "--out", str(out)]) == 0
    assert "1 image could not be read and was left out" in capsys.readouterr().err
    files = ["columns/0.png", "columns/2.png", "columns/4.png", "rows/1.png", "rows/5.png"]
    assert pd.read_csv(out)["file"].tolist() == files


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_names_of_files_that_are_no_text(run, tmp_path):
    images = write_images(tmp_path / "some", n=2)
    Path(images, "rows/1.png").rename(os.fsdecode(os.fsencode(images) + b"/rows/\xff.png"))
    out = tmp_path / "c.csv"
    assert main(["predict", run, images, "--out", str(out)]) == 0
    assert b"\nrows/\xff.png," in out.read_bytes()
