"""Tables of symbol grounding from the command line."""

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from gedi.cli import main
from gedi.experiments.grounding import COMPARED

pytestmark = pytest.mark.usefixtures("short_reports")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Real scans of digits, 300 to train on and 200 to measure on."""
    folder = tmp_path_factory.mktemp("data") / "digits"
    images, labels = load_digits(return_X_y=True)
    images = (16 * images.reshape(-1, 8, 8)).clip(0, 255).astype(np.uint8)
    for split, rows in (("train", range(300)), ("test", range(300, 500))):
        for i in rows:
            (folder / split / str(labels[i])).mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[i]).save(folder / split / str(labels[i]) / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Iterations, as time on a busy machine decides nothing."""
    file = tmp_path_factory.mktemp("settings") / "short.yaml"
    file.write_text("max_iter: 60\n")
    return file


def command(digits, short, out, *more):
    data = ["reproduce", "addition", "--data", str(digits), "--out", str(out), "--n", "60"]
    return [*data, "--seeds", "1", "--settings", str(short), *more]


def measures(out):
    return {file.parent.name: json.loads(file.read_text()) for file in out.glob("*/measures.json")}


def test_cells_are_filled_once_and_grow(digits, short, tmp_path, capsys):
    one = command(digits, short, tmp_path, "--methods", "GEDI no gen")
    assert main(one) == 0
    printed = capsys.readouterr().out
    assert "| addition | 60 | none | GEDI no gen | 1 |" in printed
    assert (tmp_path / "addition.md").read_text().strip() == printed.strip()
    first = measures(tmp_path)["addition-60-gedi-no-gen-0"]
    # More than by chance, and without a matching: the rule named the symbols.
    assert first["symbol accuracy"] > 0.3 and first["outcomes right, training"] > 0.3
    assert 0 < first["rule's share"] < 0.2 and "AUROC noise" not in first
    both = command(digits, short, tmp_path, "--methods", "GEDI no gen", "GEDI")
    assert main([*one, "--unlabelled"]) == 0
    assert main(both) == 0
    found = measures(tmp_path)
    assert found["addition-60-gedi-no-gen-0"] == first
    assert set(found) == {
        *("addition-60-gedi-0", "addition-60-gedi-no-gen-0"),
        "addition-60-all-gedi-no-gen-0",
    }
    assert 0.5 < found["addition-60-gedi-0"]["AUROC noise"] <= 1
    # It can be used like any run.
    assert (
        main(["sample", str(tmp_path / "addition-60-gedi-0"), "--out", str(tmp_path / "s.npz")])
        == 0
    )
    capsys.readouterr()
    assert main(command(digits, short, tmp_path, "--methods", "GEDI", "--minutes", "0.1")) == 2
    assert "was made with other data or settings" in capsys.readouterr().err
    (tmp_path / "addition-60-gedi-0" / "measures.json").write_text('{"NMI": 0.')
    assert main(both) == 2
    assert "measures.json: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["addition", "--n", "151"], "151 groups of 2 need 302 images, but there are 300"),
        (["addition", "--n", "0"], "--n: expected more than 0"),
        (["addition", "--methods", "JEM"], "expected some of GEDI"),
        (["parity", "--budget", "minutes"], "neither --preset nor"),
        (["sudoku", "--max-iter", "9"], "--max-iter: not for sudoku"),
        (["clustering", "--n", "5"], "--n: only for addition"),
        (["toy", "--unlabelled"], "--unlabelled: only for addition"),
        (["addition", "--settings", "none.yaml"], "--settings: none.yaml"),
    ],
)
def test_mistakes_end_with_2_and_a_sentence(arguments, words, digits, tmp_path, capsys):
    table, *more = arguments
    told = ["reproduce", table, "--data", str(digits), "--out", str(tmp_path / "out"), *more]
    assert main(told) == 2
    err = capsys.readouterr().err
    assert words in err and "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_stopped_before_the_first_cell(digits, short, tmp_path, capsys):
    assert main(command(digits, short, tmp_path, "--stop-after", "0.0000001")) == 0
    assert f"0 of {len(COMPARED)} cells done" in capsys.readouterr().err
    assert not (tmp_path / "addition.md").exists()
