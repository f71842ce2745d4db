"""The command line from end to end."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from gedi.cli import main
from gedi.runs import Run
from processes import said_by

pytestmark = pytest.mark.usefixtures("short_reports")

SMALL = [
    *("--n-clusters", "2", "--restarts.n", "1", "--encoder.hidden", "[16]"),
    *("--batch-size", "32", "--evaluate-every", "10", "--device", "cpu"),
]
SHORT = [*SMALL, "--max-iter", "40"]


def write_table(path, n=200, **columns):
    rng = np.random.default_rng(0)
    kind = np.arange(n) % 2
    a, b = rng.normal(size=(2, n))
    frame = pd.DataFrame(
        {"a": a + 6 * kind, "b": b} | columns | {"kind": np.array(["u", "v"])[kind]}
    )
    frame.to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("data") / "table.csv")


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    """A run folder, and what was said when it was made."""
    folder = tmp_path_factory.mktemp("runs") / "labelled"
    out, err = said_by("train", table, "--label", "kind", *SHORT, "--out", folder)
    return folder, out, err


def test_the_number_of_clusters_is_found_printed_and_reported(table, tmp_path):
    folder = tmp_path / "run"
    short = [*SMALL[2:], "--max-iter", "3"]
    out, err = said_by("train", table, "--drop", "kind", *short, "--out", folder)
    found = "2 clusters were found in the data"
    assert found in err and Run.open(folder).settings().n_clusters == 2
    assert found in Run.open(folder).number
    assert found in (folder / "report.html").read_text(encoding="utf-8")

    model = (folder / "model.safetensors").read_bytes()
    agreement = Run.open(folder).result()["agreement"]
    assert f"the expected agreement is about {agreement:.2f} of 1" in out
    for file in ("result.json", "model.safetensors"):
        (folder / file).unlink()
    for checkpoint in (folder / "checkpoints").iterdir():
        checkpoint.unlink()
    assert main(["resume", str(folder)]) == 0
    assert (folder / "model.safetensors").read_bytes() == model
    assert Run.open(folder).result()["agreement"] == agreement


def listing(folder):
    return sorted(str(path) for path in Path(folder).rglob("*"))


def test_train_leaves_a_complete_run_folder(trained):
    folder, out, err = trained
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("run.json", "settings.yaml", "metrics.csv", "model.safetensors"),
        *("checkpoints", "result.json", "report.html", ".lock"),
    }
    assert "because all iterations were done" in out and "NMI" in out
    verdict = Run.open(folder).result()["verdict"]
    assert verdict["level"] in ("good", "fair", "bad")
    assert f"{verdict['title']}. {verdict['text']}" in out
    assert err.startswith("table: 200 x 2, 2 clusters by GEDI") and len(err.splitlines()) == 2


def test_labels_are_never_trained_on(trained, table, tmp_path):
    bare = tmp_path / "bare.csv"
    pd.read_csv(table).drop(columns="kind").to_csv(bare, index=False)
    assert main(["train", str(bare), *SHORT, "--out", str(tmp_path / "o")]) == 0
    model = (tmp_path / "o" / "model.safetensors").read_bytes()
    assert model == (trained[0] / "model.safetensors").read_bytes()


def test_settings_can_be_given_back_and_overridden(trained, table, tmp_path):
    config, out = str(trained[0] / "settings.yaml"), tmp_path / "o"
    arguments = ["--label", "kind", "--config", config, "--max-iter", "20", "--out", str(out)]
    assert main(["train", table, *arguments]) == 0
    first, second = (yaml.safe_load((f / "settings.yaml").read_text()) for f in (trained[0], out))
    assert second.pop("max_iter") == 20 and first.pop("max_iter") == 40
    assert first == second


def test_default_folders_are_numbered_and_overwriting_is_asked_for(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["train", table, "--label", "kind", *SMALL, "--max-iter", "2"]
    assert main(arguments) == 0 and main(arguments) == 0
    assert {path.name for path in Path("runs").iterdir()} == {"table", "table-2"}
    assert main([*arguments, "--out", "runs/table"]) == 2
    assert main([*arguments, "--out", "runs/table", "--overwrite"]) == 0


@pytest.mark.parametrize("weights", [("inv", "prior"), ("gen",)], ids=["JEM", "no gen"])
def test_methods_by_weights(table, tmp_path, weights):
    chosen = [part for name in weights for part in (f"--weights.{name}", "0")]
    out = tmp_path / "o"
    assert main(["train", table, "--label", "kind", *SHORT, *chosen, "--out", str(out)]) == 0
    assert (out / "report.html").is_file()


def test_vera_from_the_command_line(table, tmp_path, capsys):
    out, vera = str(tmp_path / "o"), ["train", table, "--label", "kind", *SHORT]
    vera += ["--sampler.kind", "vera"]
    assert main([*vera, "--out", out]) == 0
    assert "energy_vera" in (tmp_path / "o" / "metrics.csv").read_text()
    drawn = str(tmp_path / "s.npz")
    assert main(["sample", out, "-n", "5", "--n-steps", "3", "--out", drawn]) == 0
    several = [*vera, "--restarts.n", "2", "--restarts.gen", "true", "--out", str(tmp_path / "p")]
    assert "restarts.gen: expected false" in refused(several, capsys, tmp_path)


def test_a_constant_feature_trains_with_a_note(tmp_path, capsys):
    path = write_table(tmp_path / "t.csv", flat=1.0)
    out = str(tmp_path / "o")
    assert main(["train", path, "--label", "kind", *SHORT, "--out", out]) == 0
    assert "note: flat is constant" in capsys.readouterr().err


def test_evaluate(trained, capsys):
    assert main(["evaluate", str(trained[0])]) == 0
    assert "collapse gap" in capsys.readouterr().out


def test_predict(trained, table, tmp_path):
    out = tmp_path / "clusters.csv"
    assert main(["predict", str(trained[0]), table, "--out", str(out)]) == 0
    frame = pd.read_csv(out)
    scored = ["outlier_score", "p_value", "confidence"]
    assert list(frame) == ["cluster", "probability_0", "probability_1", "log_density", *scored]
    assert (
        main(["predict", str(trained[0]), table, "--out", str(out), "--explain", "--overwrite"])
        == 0
    )
    parts = pd.read_csv(out)[["contribution_a", "contribution_b"]].sum(axis=1)
    np.testing.assert_allclose(parts, -frame["outlier_score"], atol=1e-9)
    np.testing.assert_allclose(frame[["probability_0", "probability_1"]].sum(axis=1), 1, atol=2e-6)
    expected = Run.open(trained[0]).load_model().predict(pd.read_csv(table)[["a", "b"]])
    np.testing.assert_array_equal(frame["cluster"], expected.clusters)


def test_sample(trained, tmp_path):
    out = tmp_path / "s.npz"
    arguments = ["sample", str(trained[0]), "-n", "5", "--n-steps", "3", "--out", str(out)]
    assert main([*arguments, "--cluster", "1"]) == 0
    with np.load(out) as arrays:
        assert arrays["x"].shape == (5, 2) and arrays["cluster"].shape == (5,)


BAD_TABLES = {
    "empty": "",
    "words": "a,b\n1,2\nx,4\n3,5\n",
    "infinite": "a,b\n1,2\ninf,4\n3,5\n",
    "few": "a,b\n1,2\n3,4\n",
    "same": "a,b\n" + "1,2\n" * 20,
}


def refused(arguments, capsys, folder):
    before = listing(folder)
    capsys.readouterr()
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("gedi: error: "), lines
    assert listing(folder) == before
    return lines[0]


@pytest.mark.parametrize("name", BAD_TABLES)
def test_tables_that_are_refused(name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text(BAD_TABLES[name])
    refused(["train", "bad.csv", *SHORT, "--n-clusters", "3"], capsys, tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        ["missing.csv", *SHORT],
        ["t.csv", "--label", "kind", *SHORT, "--n-clusters", "1"],
        ["t.csv", "--label", "nothing", *SHORT],
        ["x.npy", "--label", "y.npy", *SHORT],
        ["t.csv", "--label", "kind", *SHORT, "--config", "unknown.yaml"],
        ["t.csv", "--label", "kind", *SHORT, "--config", "type.yaml"],
        ["t.csv", "--label", "kind", *SHORT, "--config", "missing.yaml"],
        ["t.csv", "--label", "kind", *SHORT, "--sampler.steps", "3"],
        ["t.csv", "--label", "kind", *SHORT, "--max-iter", "many"],
        ["t.csv", "--label", "kind", *SHORT, "--out", "full", "--overwrite"],
    ],
    ids=lambda options: " ".join(options[:3] + options[-2:]),
)
def test_trainings_that_are_refused(options, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_table("t.csv")
    np.save("x.npy", np.eye(5))
    np.save("y.npy", np.arange(4))
    Path("unknown.yaml").write_text("clusters: 3\n")
    Path("type.yaml").write_text("max_iter: many\n")
    Path("full").mkdir()
    Path("full", "mine.txt").write_text("keep")
    refused(["train", *options], capsys, tmp_path)


def test_uses_of_a_run_that_are_refused(trained, table, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("wide.npy", np.zeros((4, 3)))
    run = str(trained[0])
    for arguments in (
        ["evaluate", "."],
        ["resume", "nowhere"],
        ["resume", run],
        ["predict", ".", table],
        ["predict", run, "wide.npy"],
        ["predict", run, table, "--out", "nowhere/c.csv"],
        ["sample", run, "--cluster", "2"],
        ["sample", run, "--cluster", "-1"],
        ["sample", run, "--out", "nowhere/s.npz"],
    ):
        refused(arguments, capsys, tmp_path)


def help_of(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    assert ended.value.code in (0, None)
    return capsys.readouterr().out


def test_help_shows_the_usual_options_under_headings_and_help_all_the_rest(capsys):
    usual, whole = help_of(capsys, "train", "--help"), help_of(capsys, "train", "--help-all")
    for heading in ("data:", "clusters:", "length:", "output:", "machine:", "settings:"):
        assert f"\n{heading}\n" in usual
    for option in ("--n-clusters", "--seed", "--help-all"):
        assert option in usual and option in whole
    for option in ("--sampler.kind", "--weights.gen", "--skip-bad"):
        assert f"\n  {option}" not in usual and f"\n  {option}" in whole


def test_print_config(table, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", table, "--print-config"])
    assert ended.value.code in (0, None)
    assert yaml.safe_load(capsys.readouterr().out)["max_iter"] is None


IMAGES = ["--n-clusters", "2", "--restarts.n", "1", "--encoder.hidden", "[16]", "--device", "cpu"]
IMAGES += ["--batch-size", "8", "--max-iter", "5", "--weights.gen", "0"]


def write_images(folder, n=12):
    """Images of several sizes in folders of classes and splits; one in each split is damaged."""
    for split in ("train", "test"):
        for i in range(n):
            file = folder / split / f"c{i % 2}" / f"{i:02}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(i).integers(256, size=(6, 6 + i % 3), dtype=np.uint8)
            Image.fromarray(pixels).save(file)
    for split in ("train", "test"):
        (folder / split / "c0" / "02.png").write_bytes(b"damaged")
    return str(folder)


def test_a_folder_of_images(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_images(Path("set"))
    train = ["train", "set", *IMAGES]
    assert "set/train/c0/02.png is damaged" in refused([*train, "--image-size", "4"], capsys, ".")
    assert "give image_size (--image-size)" in refused([*train, "--skip-bad"], capsys, ".")
    assert "no split 'val'" in refused([*train, "--split", "val"], capsys, ".")
    assert "--stream-above" in refused([*train, "--stream-above", "-1"], capsys, ".")
    train += ["--image-size", "4", "--skip-bad"]
    assert main([*train, "--out", "held"]) == 0
    assert "1 image could not be read and was left out" in capsys.readouterr().err
    assert not Path("cache").exists()
    assert main([*train, "--out", "mapped", "--stream-above", "0"]) == 0
    told = f"12 images are too large for memory, and are decoded once into {tmp_path / 'cache'}"
    assert told in capsys.readouterr().err
    held, mapped = (Path(out, "model.safetensors").read_bytes() for out in ("held", "mapped"))
    assert held == mapped
    run = Run.open(Path("mapped"))
    assert run.source.stream_above == 0 and run.image_shape == (1, 4, 4)
    for split in ("train", "test"):  # of which the first is decoded already
        assert main(["evaluate", "mapped", "--split", split]) == 0
        out, err = capsys.readouterr()
        assert "NMI" in out and ("decoded once" in err) == (split == "test")
    Path("set/test/c0/02.png").unlink()
    assert main(["predict", "held", "set", "--split", "test"]) == 0
    assert len(pd.read_csv("set-clusters.csv")) == 11


def test_a_streamed_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gedi.data.shards._SAMPLED", 90)
    (tmp_path / "shards").mkdir()
    table = pd.read_csv(write_table(tmp_path / "table.csv"))
    for i in range(2):
        table.iloc[100 * i : 100 * (i + 1)].to_parquet(tmp_path / "shards" / f"{i}.parquet")
    folder, out = str(tmp_path / "run"), tmp_path / "clusters.csv"
    arguments = ["train", str(tmp_path / "shards"), "--label", "kind", *SHORT, "--out", folder]
    assert main([*arguments, "--streaming"]) == 0
    told = capsys.readouterr()
    assert "note: 200 rows are streamed; scaling, noise and report use 90" in told.err
    assert "NMI" in told.out
    assert "a sample of its 200 rows" in (Path(folder) / "report.html").read_text()
    assert Run.open(Path(folder)).source.streaming
    assert main(["evaluate", folder]) == 0
    assert main(["predict", folder, str(tmp_path / "shards"), "--out", str(out)]) == 0
    assert len(pd.read_csv(out)) == 200
    for more, words in (
        (["--streaming", "--image-size", "8"], "is not a set of image files: leave out image_size"),
        (
            ["--streaming", "--groups", "g.csv", "--rule", "sum"],
            "not possible with --streaming",
        ),
    ):
        assert main([*arguments, *more, "--overwrite"]) == 2
        assert words in capsys.readouterr().err
