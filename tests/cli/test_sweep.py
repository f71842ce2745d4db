"""`gedi sweep`: cells are kept, results can be looked at, and other sweeps are not mixed in."""

import json

import numpy as np
import pandas as pd
import pytest

from gedi.cli import main, sweep
from gedi.training.session import start

SHORT = [
    *("--n-parts", "2", "--max-iter", "2", "--restarts.n", "1", "--encoder.hidden", "[8]"),
    *("--weights.gen", "0", "--device", "cpu"),
]


@pytest.fixture
def table(tmp_path):
    x = np.random.default_rng(0).normal(size=(30, 2))
    pd.DataFrame(x, columns=["a", "b"]).to_csv(tmp_path / "table.csv", index=False)
    return str(tmp_path / "table.csv")


def cells_of(folder):
    return {file.name: file.stat().st_ino for file in (folder / "cells").iterdir()}


def test_a_sweep_leaves_table_picture_and_page(table, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["sweep", table, *SHORT, "--out", str(out), "--n-clusters"]
    assert main([*arguments, "3", "2"]) == 0
    told = capsys.readouterr().out
    result = json.loads((out / "sweep.json").read_text())
    assert [row["n_clusters"] for row in result["rows"]] == [2, 3]
    assert result["rows"][0]["n_cells"] == 2 and result["rows"][0]["log_density"] is None
    assert result["suggested"] is None and result["advice"].startswith("Not clear")
    assert "Not clear" in told and "agreement" in told
    assert (out / "sweep.png").read_bytes().startswith(b"\x89PNG")
    page = (out / "sweep.html").read_text()
    assert "The number of clusters is not clear" in page and page.count("<figure") == 2
    before = cells_of(out)
    assert main([*arguments, "2", "3", "4"]) == 0
    after = cells_of(out)
    assert len(after) == 6 and [row["n_clusters"] for row in rows_in(out)] == [2, 3, 4]
    assert before.items() <= after.items()  # not written anew


def rows_in(out):
    return json.loads((out / "sweep.json").read_text())["rows"]


def test_an_interrupted_sweep_keeps_what_was_done(table, tmp_path, monkeypatch, capsys):
    out, begun = tmp_path / "out", []

    def interrupted(dataset, settings):
        begun.append(settings.n_clusters)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return start(dataset, settings)

    monkeypatch.setattr(sweep, "start", interrupted)
    arguments = ["sweep", table, *SHORT, "--out", str(out), "--n-clusters", "2", "3"]
    assert main(arguments) == 130
    assert "2 of 4 trainings done" in capsys.readouterr().err
    assert set(cells_of(out)) == {"c2-part0.json", "c3-part0.json"}
    assert not (out / "sweep.json").exists()
    assert main(arguments) == 0
    assert begun == [2, 3, 2, 2, 3] and len(cells_of(out)) == 4


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (["--max-iter", "3"], "other data or settings"),
        (["--n-clusters", "1"], "at least 2"),
        (["--n-clusters", "16"], "at least 32 points"),
        (["--n-parts", "1"], "n_parts"),
    ],
)
def test_what_cannot_be_swept_is_told(table, tmp_path, capsys, changed, words):
    arguments = ["sweep", table, *SHORT, "--out", str(tmp_path / "out")]
    if "--max-iter" in changed:
        assert main([*arguments, "--n-clusters", "2"]) == 0
    assert main([*arguments, *changed]) == 2
    assert words in capsys.readouterr().err


def test_a_damaged_cell_is_named(table, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["sweep", table, *SHORT, "--out", str(out), "--n-clusters", "2"]
    assert main(arguments) == 0
    cell = out / "cells" / "c2-part0.json"
    tree = json.loads(cell.read_text())
    of_other_points = json.dumps({**tree, "clusters": tree["clusters"][:-1]})
    no_such_cluster = json.dumps({**tree, "clusters": [2] * 30})
    for content in ("[]", '{"n_clusters": 2}', "{", of_other_points, no_such_cluster):
        cell.write_text(content)
        assert main(arguments) == 2
        assert "c2-part0.json: cannot be read" in capsys.readouterr().err


def test_a_folder_with_something_else_is_left_alone(table, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    assert main(["sweep", table, *SHORT, "--out", str(tmp_path / "mine")]) == 2
    assert "is not empty and not a sweep" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_settings_of_a_run_are_taken_but_for_their_number(table, tmp_path, capsys):
    config = tmp_path / "settings.yaml"
    config.write_text("n_clusters: 5\nmax_iter: 3\n")
    arguments = ["sweep", table, *SHORT[:2], *SHORT[4:], "--out", str(tmp_path / "out")]
    arguments += ["--n-clusters", "2", "--config", str(config)]
    assert main(arguments) == 2
    assert "remove it from the file" in capsys.readouterr().err
    config.write_text("max_iter: 3\n")
    assert main(arguments) == 0
    asked = json.loads((tmp_path / "out" / "asked.json").read_text())
    assert asked["settings"]["max_iter"] == 3
