"""`gedi card` as users call it."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from gedi.cli import main
from gedi.runs.names import ClusterNames
from small_trainings import heaps

pytestmark = pytest.mark.usefixtures("short_reports")

PEOPLE = [f"Ada {number} Byron-{number}" for number in range(200)]
SMALL = ["--max-iter", "5", "--restarts.n", "1", "--encoder.hidden", "[8]", "--n-clusters", "2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a table about people, with markup in a name of a column and of a cluster."""
    place = tmp_path_factory.mktemp("cards")
    table = pd.DataFrame(heaps()[0], columns=["height", "a|b <b>"])
    table["name"] = PEOPLE
    table["town"] = np.array(["Rome", "Oslo", "Kyiv"])[np.arange(200) % 3]
    table["born"] = pd.date_range("1950-01-01", periods=200).strftime("%Y-%m-%d")
    table.loc[::9, "height"] = np.nan
    table.to_csv(place / "people.csv", index=False)
    folder = place / "run"
    assert main(["train", str(place / "people.csv"), "--out", str(folder), *SMALL]) == 0
    ClusterNames.fresh(2).rename(0, "tall `people`").save(folder)
    return folder


def test_a_card_says_what_the_model_is_and_quotes_no_row(run, tmp_path, capsys):
    out = tmp_path / "README.md"
    assert main(["card", str(run), "--out", str(out)]) == 0
    assert "add a license" in capsys.readouterr().out
    card = out.read_text("utf-8")
    header = yaml.safe_load(card.split("---")[1])
    assert header["library_name"] == "gedi" and "tabular" in header["tags"]
    result = json.loads((run / "result.json").read_text())
    assert "| town | category | 3 levels |" in card and "| name | drop | left out |" in card
    assert r"| a\|b \<b\> | number |" in card
    assert "| height | number | as it is; a missing value becomes the median, and a feature" in card
    for k, size in enumerate(result["cluster_sizes"]):
        assert re.search(rf"^\| {k} \| [^|]+ \| {size} \|", card, re.MULTILINE)
    assert "tall 'people'" in card
    assert f"{result['collapse_gap']:.3f} nats" in card
    assert f"| mean log-density of held-out points | {result['held_out']:.3f} nats |" in card
    for heading in ("Data", "Clusters", "Quality", "Use", "What it must not be used for"):
        assert f"\n## {heading}\n" in card
    assert "Unfinished" in card or "Mostly" in card or "sound" in card
    # 200 rows in three times two halves.
    assert "holds up to 540 of these" in card
    # Nothing of the rows, nor of this machine.
    assert "Ada" not in card and "Rome" not in card and "1950" not in card
    assert str(tmp_path.parent) not in card and "people.csv" in card


def test_the_hub_reads_it(run, tmp_path):
    hub = pytest.importorskip("huggingface_hub", reason="the hub needs the extra hub")
    out = tmp_path / "README.md"
    assert main(["card", str(run), "--out", str(out)]) == 0
    card = hub.ModelCard.load(out)
    assert card.data.library_name == "gedi" and card.text.lstrip().startswith("# people")


def test_what_is_refused(run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    unfinished, damaged = tmp_path / "unfinished", tmp_path / "damaged"
    for copy in (unfinished, damaged):
        shutil.copytree(run, copy)
    (unfinished / "result.json").unlink()
    (damaged / "result.json").write_text('{"cluster_sizes": "two"}')
    (tmp_path / "mine.md").write_text("mine")
    for arguments, words in (
        (["nowhere"], "expected a run folder"),
        ([str(unfinished)], "a training that has ended"),
        ([str(damaged)], "is damaged"),
        ([str(run), "--out", "card.txt"], "ends in .md"),
        ([str(run), "--out", "mine.md"], "--overwrite"),
    ):
        assert main(["card", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("gedi: error: ") and words in error
    assert not (tmp_path / "README.md").exists()


def test_images(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "pictures.npy", rng.integers(256, size=(40, 8, 8), dtype=np.uint8))
    run = tmp_path / "run"
    assert main(["train", str(tmp_path / "pictures.npy"), "--out", str(run), *SMALL]) == 0
    assert main(["card", str(run), "--out", str(tmp_path / "card.md")]) == 0
    card = (tmp_path / "card.md").read_text("utf-8")
    assert "Images of pictures.npy: 40, with 64 features, 1×8×8 pixels." in card
    assert "last positions of chains" in card and "`p_value`" not in card


def test_a_report_without_time_is_of_a_sample_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gedi.report.findings._FEWEST_ROWS", 50)
    table, folder = tmp_path / "heaps.csv", tmp_path / "run"
    pd.DataFrame(heaps()[0], columns=["a", "b"]).to_csv(table, index=False)
    assert main(["train", str(table), "--out", str(folder), *SMALL, "--max-time", "1e-3"]) == 0
    assert "are those of 50 of the 200 rows" in capsys.readouterr().err
    result = json.loads((folder / "result.json").read_text())
    assert result["n_rows"] == 200 and sum(result["cluster_sizes"]) == 50
    assert "a sample of its 200 rows" in (folder / "report.html").read_text()
    assert main(["card", str(folder), "--out", str(tmp_path / "README.md")]) == 0
    card = (tmp_path / "README.md").read_text("utf-8")
    assert ": 200, with 2 features" in card and "In a sample of 50 rows of data:" in card
