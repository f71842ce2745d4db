"""From a file of texts, or a folder of photographs, to named groups, by commands."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import small_texts
from gedi import TextFeatures
from gedi.cli import main
from gedi.data.source import Source
from gedi.runs import Run
from gedi.runs.names import ClusterNames

pytestmark = pytest.mark.usefixtures("short_reports")

TINY = ["--n-clusters", "3", "--max-iter", "30", "--restarts.n", "1", "--device", "cpu"]
TINY += ["--encoder.hidden", "[16]"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on a table of texts."""
    folder = tmp_path_factory.mktemp("texts")
    found, subjects = small_texts.texts()
    frame = pd.DataFrame({"id": range(60), "body": found, "subject": subjects})
    frame.to_csv(folder / "tickets.csv", index=False)
    command = ["train", str(folder / "tickets.csv"), "--text", "body", "--label", "subject"]
    command += ["--features", small_texts.text_model(), *TINY]
    assert main([*command, "--out", str(folder / "runs" / "first")]) == 0
    return folder


@pytest.fixture
def no_network(monkeypatch):
    """All features must come from where they are kept."""
    monkeypatch.setattr(TextFeatures, "encode", None)


def test_groups_have_names_of_typical_words(trained):
    run = Run.open(trained / "runs" / "first")
    result = run.result()
    assert result["metrics"]["accuracy"] > 0.9
    assert len(result["words"]) == 3 and all(result["words"])
    names = ClusterNames.load(run.path, 3)
    assert list(names.names) == result["names"] and not any(names.given)
    page = (run.path / "report.html").read_text("utf-8")
    assert result["names"][0] in page and "map-data" in page and "feature 3" not in page


def test_predictions_hold_the_texts(trained, tmp_path, capsys, no_network):
    out = tmp_path / "groups.csv"
    run = trained / "runs" / "first"
    assert main(["predict", str(run), str(trained / "tickets.csv"), "--out", str(out)]) == 0
    found = pd.read_csv(out)
    given = pd.read_csv(trained / "tickets.csv")
    assert found["text"].tolist() == given["body"].tolist()
    names = Run.open(run).result()["names"]
    assert found["name"].tolist() == [names[k] for k in found["cluster"]]
    assert found["probability"].between(1 / 3, 1).all()


def test_runs_of_earlier_versions_know_no_words(trained, tmp_path, monkeypatch):
    table, run = str(trained / "tickets.csv"), tmp_path / "run"
    made = Source.of_options
    monkeypatch.setattr(Source, "of_options", lambda *given: replace(made(*given), words=False))
    command = ["train", table, "--text", "body", "--features", small_texts.text_model(), *TINY]
    assert main([*command, "--out", str(run)]) == 0
    facts = json.loads((run / "run.json").read_text())
    assert facts["n_features"] == 384 and facts["source"].pop("words") is False
    (run / "run.json").write_text(json.dumps(facts))
    assert main(["predict", str(run), table, "--out", str(tmp_path / "groups.csv")]) == 0
    assert len(pd.read_csv(tmp_path / "groups.csv")) == 60


def test_samples_come_with_the_most_similar_texts(trained, tmp_path, capsys, no_network):
    out = tmp_path / "samples.npz"
    run = trained / "runs" / "first"
    assert main(["sample", str(run), "-n", "5", "--n-steps", "5", "--out", str(out)]) == 0
    assert "neither a text nor a picture" in capsys.readouterr().out
    given = pd.read_csv(trained / "tickets.csv")["body"]
    with np.load(out) as found:
        assert found["x"].shape == (5, 768)
        assert found["nearest"].tolist() == given[found["nearest_row"]].tolist()


def test_a_decoder_turns_samples_into_texts(trained, tmp_path, monkeypatch, capsys, no_network):
    (tmp_path / "my_decoder.py").write_text(
        "def longest(x):\n"
        "    return [f'axis {row.argmax()}' for row in x]\n\n\n"
        "def one(x):\n"
        "    return 'a text'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    out, run = tmp_path / "samples.npz", str(trained / "runs" / "first")
    command = ["sample", run, "-n", "3", "--n-steps", "2", "--out", str(out), "--decoder"]
    assert main([*command, "my_decoder:longest"]) == 0
    with np.load(out) as found:
        assert found["decoded"].tolist() == [f"axis {row.argmax()}" for row in found["x"]]
    capsys.readouterr()
    for name, words in (
        ("my_decoder:one", "expected a text or an array of numbers for each of 3 rows"),
        ("my_decoder:none", "cannot be imported"),
        ("my_decoder", "expected package.module:function"),
    ):
        assert main([*command, name, "--overwrite"]) == 2
        assert words in capsys.readouterr().err


def test_new_texts_may_come_from_another_kind_of_file(trained, tmp_path):
    (tmp_path / "new.txt").write_text("How do I roast the potatoes?\nHow do I win the league?\n")
    out = tmp_path / "groups.parquet"
    run = trained / "runs" / "first"
    assert main(["predict", str(run), str(tmp_path / "new.txt"), "--out", str(out)]) == 0
    found = pd.read_parquet(out)
    assert found["text"].tolist()[1] == "How do I win the league?"
    assert found["cluster"].nunique() == 2


def test_other_texts_are_measured(trained, tmp_path, capsys):
    pd.read_csv(trained / "tickets.csv").rename(columns={"body": "words"}).to_csv(
        tmp_path / "new.csv", index=False
    )
    run = str(trained / "runs" / "first")
    assert main(["evaluate", run, "--data", str(tmp_path / "new.csv")]) == 2
    assert "body" in capsys.readouterr().err
    command = ["evaluate", run, "--data", str(tmp_path / "new.csv"), "--text", "words"]
    assert main(command) == 0
    assert "collapse gap" in capsys.readouterr().out


def test_given_names_survive_another_training_which_computes_no_features(trained, no_network):
    first, second = trained / "runs" / "first", trained / "runs" / "second"
    ClusterNames.load(first, 3).rename(1, "my <b>group</b>").save(first)
    command = ["train", str(trained / "tickets.csv"), "--text", "body", *TINY, "--seed", "1"]
    command += ["--features", small_texts.text_model(), "--like", str(first)]
    assert main([*command, "--out", str(second)]) == 0
    former = json.loads((second / "result.json").read_text())["numbering"]["former"]
    names = ClusterNames.load(second, 3)
    assert names.names[former.index(1)] == "my <b>group</b>"
    assert [k for k in range(3) if names.given[k]] == [former.index(1)]
    page = (second / "report.html").read_text("utf-8")
    assert "my &lt;b&gt;group&lt;/b&gt;" in page and "my <b>group</b>" not in page
    (own,) = (second / "features").glob("*/features.npy")
    assert own.samefile(first / "features" / own.parent.name / own.name)  # without a copy


@pytest.mark.slow
def test_a_sweep_over_texts_takes_over_their_features(trained, no_network):
    out = trained / "runs" / "sweep"
    command = ["sweep", str(trained / "tickets.csv"), "--text", "body", "--n-parts", "2"]
    command += ["--features", small_texts.text_model(), *TINY[4:], "--max-iter", "2"]
    assert main([*command, "--n-clusters", "2", "3", "--out", str(out)]) == 0
    page = (out / "sweep.html").read_text("utf-8")
    assert "--text body --features" in page and len(list((out / "cells").iterdir())) == 4


def test_what_is_wrong_is_said_in_one_line(trained, capsys):
    tickets = str(trained / "tickets.csv")
    for arguments, message in (
        (["train", tickets, "--text", "subjects"], "has no column 'subjects' of texts"),
        (["train", tickets, "--features", "auto"], "give the column of texts (--text NAME"),
    ):
        assert main([*arguments, *TINY, "--out", str(trained / "runs" / "none")]) == 2
        assert message in capsys.readouterr().err
    shutil.rmtree(trained / "runs" / "none", ignore_errors=True)


def test_photographs_have_a_page_of_pictures(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(small_texts.Path(__file__).parents[1] / "features"))
    (tmp_path / "photographs").mkdir()
    for k in range(30):
        colour = [(250 - k, k, 0), (0, 250 - k, k), (k, 0, 250 - k)][k % 3]
        Image.new("RGB", (30, 20 + k), colour).save(tmp_path / "photographs" / f"{k:02d}.png")
    command = ["train", str(tmp_path / "photographs"), *TINY]
    command += ["--features", "test_image_features:colours", "--out", str(tmp_path / "run")]
    assert main(command) == 0
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "not a picture" in page
    out = tmp_path / "groups.csv"
    folder = str(tmp_path / "photographs")
    assert main(["predict", str(tmp_path / "run"), folder, "--out", str(out)]) == 0
    assert pd.read_csv(out)["file"].tolist()[:2] == ["00.png", "01.png"]
    assert main(["update", str(tmp_path / "run"), folder, "--out", str(tmp_path / "two")]) == 0
    assert len(Run.open(tmp_path / "two").read().pictures) == 60


def test_a_run_on_texts_is_updated_with_new_texts(trained, tmp_path, capsys):
    run = trained / "runs" / "first"
    more = pd.read_csv(trained / "tickets.csv").sample(30, random_state=0)[["body"]]
    more.to_csv(tmp_path / "more.csv", index=False)
    out = trained / "runs" / "updated"
    assert main(["update", str(run), str(tmp_path / "more.csv"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "30 new rows: " in said and "kept, with their overlap from 0 to 1: 0 (" in said
    second = Run.open(out)
    assert len(second.read().texts) == 90 and second.result()["words"]


def test_rows_without_a_text_are_predicted_with_little_confidence(trained, tmp_path):
    frame = pd.read_csv(trained / "tickets.csv")
    frame.loc[[3, 40], "body"] = [None, " "]
    frame.to_csv(tmp_path / "new.csv", index=False)
    out = tmp_path / "groups.csv"
    run, new = str(trained / "runs" / "first"), str(tmp_path / "new.csv")
    assert main(["predict", run, new, "--out", str(out)]) == 0
    found = pd.read_csv(out)
    assert len(found) == 60 and found["text"].isna().sum() + (found["text"] == " ").sum() == 2
    assert found["confidence"][[3, 40]].max() < found["confidence"].median()
