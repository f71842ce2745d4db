"""Tables from the command line: gaps filled, trainings gone on with, mistakes told."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from PIL import Image

from gedi.cli import main
from processes import said_by

pytestmark = pytest.mark.usefixtures("short_reports")

CELL = "stripes-cpu-updates-gedi-0"
METHODS = ("--methods", "GEDI", "SwAV")
PROCESS = {"text": True, "env": {**os.environ, "OMP_NUM_THREADS": "1"}}


def command(*arguments):
    return ["reproduce", *map(str, arguments)]


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    """Images of 16 x 16 pixels, striped across or along, with noise."""
    folder = tmp_path_factory.mktemp("data") / "stripes"
    rng = np.random.default_rng(0)
    bars = np.where(np.arange(16) // 2 % 2, 200, 50)
    for split, n in (("train", 280), ("test", 60)):
        for kind in ("across", "along"):
            (folder / split / kind).mkdir(parents=True)
            image = np.tile(bars, (16, 1))
            image = image if kind == "across" else image.T
            for i in range(n // 2):
                noisy = (image + rng.normal(0, 20, (16, 16))).clip(0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(folder / split / kind / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def filled(stripes, tmp_path_factory):
    """A folder of two cells, and the table that was printed."""
    out = tmp_path_factory.mktemp("tables") / "runs"
    told = ("--data", stripes, *METHODS, "--seeds", 1, "--max-iter", 8, "--out", out)
    return out, told, said_by(*command("clustering", *told))[0]


def test_table_has_a_line_for_each_method_and_is_kept(filled):
    out, _, printed = filled
    lines = printed.strip().splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == ["GEDI", "SwAV"]
    assert (out / "clustering.md").read_text().strip() == printed.strip()
    measured = json.loads((out / CELL / "measures.json").read_text())
    assert measured["iterations"] == 8
    assert 0 <= measured["clustering"]["NMI"] <= 1
    assert measured["hardware"] and measured["date"]


def test_second_table_measures_the_same_trainings(filled, stripes, capsys):
    out, told, _ = filled
    model = out / CELL / "model.safetensors"
    before = model.stat().st_mtime_ns
    assert main(command("ood", *told, "--against", f"bars={stripes}")) == 0
    assert model.stat().st_mtime_ns == before
    printed = capsys.readouterr().out
    assert "| stripes | SwAV | equal updates | approximate mass |" in printed
    assert "| rotated | bars |" in printed
    assert main(command("clustering", *told)) == 0
    assert capsys.readouterr().out == filled[2]


def test_generation_is_measured_where_there_is_a_density(filled, capsys):
    out, told, _ = filled
    assert main(command("generation", *told)) == 0
    gedi, swav = capsys.readouterr().out.strip().splitlines()[2:]
    assert float(gedi.split(" | ")[4]) > 0
    assert swav.split(" | ")[4:8] == ["-"] * 4
    assert (out / "features-stripes.safetensors").is_file()


@pytest.mark.slow
def test_training_that_was_stopped_goes_on_to_the_same_end(filled, tmp_path, capsys):
    out, told, printed = filled
    told = list(told)
    told[-1] = tmp_path / "runs"
    arguments = [sys.executable, "-m", "gedi", *command("clustering", *told)]
    with subprocess.Popen(arguments, **PROCESS, stderr=subprocess.DEVNULL) as process:
        history = tmp_path / "runs" / CELL / "metrics.csv"
        while not history.is_file():  # from here on an interruption waits for its moment
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert not (tmp_path / "runs" / CELL / "measures.json").exists()
    assert main(command("clustering", *told)) == 0
    columns = slice(0, -2)  # all but the time
    assert [line.split(" | ")[columns] for line in capsys.readouterr().out.splitlines()] == [
        line.split(" | ")[columns] for line in printed.splitlines()
    ]
    models = [folder / CELL / "model.safetensors" for folder in (out, tmp_path / "runs")]
    assert models[0].read_bytes() == models[1].read_bytes()


def test_settings_from_a_file_go_over_the_preset(filled, tmp_path, capsys):
    _, told, _ = filled
    (tmp_path / "s.yaml").write_text("batch_size: 16\nviews: {shear: 3.0}\n")
    told = [*told[:-1], tmp_path / "runs", "--settings", tmp_path / "s.yaml"]
    assert main(command("clustering", *told)) == 0
    kept = yaml.safe_load((tmp_path / "runs" / CELL / "settings.yaml").read_text())
    assert (kept["batch_size"], kept["views"]["shear"], kept["max_iter"]) == (16, 3.0, 8)
    (tmp_path / "s.yaml").write_text("batchsize: 16\n")
    assert main(command("clustering", *told)) == 2
    assert "batchsize" in capsys.readouterr().err
    assert main(command("clustering", *told[:-1], tmp_path / "none.yaml")) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_other_settings_do_not_mix_with_what_is_there(filled, capsys):
    _, told, _ = filled
    told = [9 if value == 8 else value for value in told]
    assert main(command("clustering", *told)) == 2
    assert "was made with other data or settings" in capsys.readouterr().err


def test_other_data_do_not_mix_with_what_is_there(filled, capsys):
    _, told, _ = filled
    assert main(command("clustering", *told, "--image-size", "20")) == 2
    assert "was made with other data or settings" in capsys.readouterr().err


def test_damaged_feature_network_ends_with_2(filled, tmp_path, capsys):
    out, told, _ = filled
    copied = tmp_path / "runs"
    shutil.copytree(out, copied)
    (copied / "features-stripes.safetensors").write_bytes(b"no network")
    cell = copied / CELL / "measures.json"
    measured = json.loads(cell.read_text())
    measured["tables"] = ["clustering"]
    cell.write_text(json.dumps(measured))
    assert main(command("generation", *told[:-1], copied)) == 2
    assert "remove the file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("toy", "--data", "digits"), "expected moons or circles"),
        (("clustering", "--data", "moons"), "images for all others"),
        (("clustering", "--methods", "DEC"), "expected some of GEDI"),
        (("toy", "--seeds", "0"), "--seeds: expected more than 0"),
        (("clustering", "--data", "nowhere"), "nowhere"),
    ],
)
def test_mistakes_end_with_2_and_a_sentence(arguments, words, tmp_path, capsys):
    assert main(command(*arguments, "--out", tmp_path / "runs")) == 2
    assert words in capsys.readouterr().err
