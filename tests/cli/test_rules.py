"""Groups that obey a rule, on the command line."""

import json
import os
import shutil
import signal

import numpy as np
import pandas as pd
import pytest

from gedi.cli import main
from gedi.runs.checkpoints import Checkpoints

pytestmark = pytest.mark.usefixtures("short_reports")

SMALL = [
    *("--n-clusters", "3", "--restarts.n", "1", "--encoder.hidden", "[16]"),
    *("--batch-size", "64", "--evaluate-every", "20", "--device", "cpu", "--max-iter", "200"),
]
RULE = ["--rule", "a + b == s", "--outcome", "s"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three heaps, and sums of pairs of them; the largest heap has the largest number."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    symbols = rng.choice(3, size=300, p=[0.2, 0.3, 0.5])
    x = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])[symbols] + rng.normal(size=(300, 2))
    frame = pd.DataFrame({"u": x[:, 0], "v": x[:, 1], "kind": symbols})
    frame.to_csv(folder / "points.csv", index=False)
    rows = rng.permutation(300)[:80].reshape(40, 2)
    pairs = pd.DataFrame({"a": rows[:, 0], "b": rows[:, 1], "s": symbols[rows].sum(1)})
    pairs.to_csv(folder / "pairs.csv", index=False)
    return str(folder / "points.csv"), str(folder / "pairs.csv")


def arguments(files, out, *more):
    data = ["train", files[0], "--label", "kind", "--groups", files[1], *RULE, *SMALL]
    return [*data, "--out", str(out), *more]


def test_symbols_are_named_by_the_rule_and_interrupted_trainings_go_on(
    files, tmp_path, capsys, monkeypatch
):
    whole = tmp_path / "whole"
    assert main(arguments(files, whole)) == 0
    told = "2 inputs each, under the rule a + b == s; the observed outcome is in column s"
    assert told in capsys.readouterr().err
    metrics = json.loads((whole / "result.json").read_text())["metrics"]
    assert metrics["symbol accuracy"] > 0.98
    report = (whole / "report.html").read_text()
    assert (
        "without a matching" in report and "Probability of the known labels or outcomes" in report
    )
    assert "rule accuracy" in report and "<h2>Symbols</h2>" in report
    assert metrics["rule accuracy"] > 0.9 and 0.5 < metrics["rule probability"] <= 1
    assert main(["evaluate", str(whole), "--out", str(tmp_path / "figures.json")]) == 0
    assert "symbol accuracy" in (tmp_path / "figures.json").read_text()

    parted = tmp_path / "parted"
    save = Checkpoints.save

    def terminate(*saved):
        monkeypatch.undo()
        save(*saved)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Checkpoints, "save", terminate)
    assert main(arguments(files, parted, "--checkpoint-every", "0")) == 130
    assert main(["resume", str(parted)]) == 0
    names = ("model.safetensors",)
    assert all((parted / name).read_bytes() == (whole / name).read_bytes() for name in names)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--groups", "{pairs}"], "expected the rule that they obey"),
        (["--rule", "a < b"], "needs a table of groups"),
        (["--outcome", "s"], "needs a table of groups"),
        (["--groups", "none.csv", *RULE], "there is no file"),
        (["--groups", "{pairs}", "--rule", "a < b", "--outcome", "t"], "'t'"),
        (["--groups", "{pairs}", "--rule", "a +", "--outcome", "s"], "a +"),
        (
            ["--groups", "{pairs}", *RULE, "--method", "barlow-twins"],
            "expected no labels and no rules",
        ),
    ],
)
def test_mistakes_end_with_2_and_a_sentence(changes, words, files, tmp_path, capsys):
    given = [each.format(pairs=files[1]) for each in changes]
    data = ["train", files[0], "--label", "kind", *given, *SMALL]
    assert main([*data, "--out", str(tmp_path / "run")]) == 2
    err = capsys.readouterr().err
    assert words in err and "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_groups_that_have_gone_are_told_when_resuming(files, tmp_path, capsys):
    run = tmp_path / "run"
    pairs = tmp_path / "pairs.csv"
    shutil.copy(files[1], pairs)
    assert main(arguments((files[0], str(pairs)), run)) == 0
    pairs.unlink()
    (run / "result.json").unlink()
    assert main(["resume", str(run)]) == 2
    assert "there is no file" in capsys.readouterr().err
