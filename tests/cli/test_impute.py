"""A table with gaps, filled in by a model of such tables, by a command."""

import numpy as np
import pandas as pd
import pytest

import small_texts
from gedi.cli import main

pytestmark = pytest.mark.usefixtures("short_reports")

N = 200


def people():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, N)
    return pd.DataFrame(
        {
            "name": [f"n{i}" for i in range(N)],
            "height": 150 + 30 * kind + rng.normal(size=N),
            "children": 1 + 4 * kind + rng.integers(0, 2, N),
            "town": np.where(kind == 0, "Rome", "Oslo"),
            "since": (pd.Timestamp("2020-01-01") + pd.to_timedelta(900 * kind, "D")).astype(str),
        }
    )


def with_gaps():
    """Every fifth row lacks one of its values."""
    frame = people().astype(object)
    for i in range(0, N, 5):
        frame.iloc[i, 1 + (i // 5) % 4] = None
    return frame


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    people().to_csv(folder / "people.csv", index=False)
    command = ["train", str(folder / "people.csv"), "--n-clusters", "2", "--max-iter", "20"]
    assert main([*command, "--out", str(folder / "run"), "--device", "cpu"]) == 0
    return folder / "run"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_gaps_are_filled_in_the_units_of_their_columns(run, tmp_path, suffix, capsys):
    given = with_gaps()
    given.to_csv(tmp_path / "gaps.csv", index=False)
    out = tmp_path / f"filled.{suffix}"
    assert main(["impute", str(run), str(tmp_path / "gaps.csv"), "--out", str(out)]) == 0
    assert "filled in: height 10, children 10, town 10, since 10" in capsys.readouterr().out
    found = pd.read_csv(out) if suffix == "csv" else pd.read_parquet(out)
    assert list(found) == [
        *("name", "height", "height_error", "children", "children_error"),
        *("town", "town_error", "since", "since_error"),
    ]
    true, missing = people(), given.isna()
    assert found["name"].tolist() == true["name"].tolist()
    assert found["town"].tolist() == true["town"].tolist()
    days = (pd.to_datetime(found["since"], format="%Y-%m-%d") - pd.to_datetime(true["since"])).dt
    assert days.days.abs().max() <= 90  # of 900 between the two kinds
    assert found["children"].dtype.kind == "i" or str(found["children"].dtype) == "Int64"
    assert (found["children"] - true["children"]).abs().max() <= 1
    np.testing.assert_allclose(found["height"], true["height"], atol=5)
    known = ~missing["height"]
    np.testing.assert_allclose(found["height"][known], true["height"][known])
    for name in ("height", "children", "town", "since"):
        assert (found[f"{name}_error"][~missing[name]] == 0).all()
    assert found["height_error"][missing["height"]].between(0.3, 5).all()


def test_draws_differ_by_their_seed_and_means_do_not(run, tmp_path):
    with_gaps().to_csv(tmp_path / "gaps.csv", index=False)

    def filled(*more):
        command = ["impute", str(run), str(tmp_path / "gaps.csv"), "--out", str(tmp_path / "f.csv")]
        assert main([*command, "--overwrite", *more]) == 0
        return pd.read_csv(tmp_path / "f.csv")["height"]

    assert (filled("--draw") != filled("--draw", "--seed", "1")).sum() == 10
    assert (filled() == filled()).all()


def test_a_table_without_gaps_gets_no_columns(run, tmp_path, capsys):
    people().to_csv(tmp_path / "whole.csv", index=False)
    out = tmp_path / "filled.csv"
    assert main(["impute", str(run), str(tmp_path / "whole.csv"), "--out", str(out)]) == 0
    assert "filled in: nothing" in capsys.readouterr().out
    pd.testing.assert_frame_equal(pd.read_csv(out), pd.read_csv(tmp_path / "whole.csv"))


def test_a_name_that_is_taken_is_not_replaced(run, tmp_path):
    with_gaps().assign(height_error="mine").to_csv(tmp_path / "gaps.csv", index=False)
    out = tmp_path / "filled.csv"
    assert main(["impute", str(run), str(tmp_path / "gaps.csv"), "--out", str(out)]) == 0
    found = pd.read_csv(out)
    assert (found["height_error"] == "mine").all() and found["height_error_"].max() > 0


def test_inputs_that_cannot_be_filled_in_are_refused(run, tmp_path, capsys):
    def refused(folder, *more):
        assert main(["impute", str(folder), *more]) == 2
        return capsys.readouterr().err

    assert "there is no file 'moons'" in refused(run, "moons")
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    assert "expected a table with the columns of" in refused(run, str(tmp_path / "x.npy"))
    people().drop(columns="town").to_csv(tmp_path / "less.csv", index=False)
    assert "has no column 'town'" in refused(run, str(tmp_path / "less.csv"))
    file = str(tmp_path / "less.csv")
    assert "is the input" in refused(run, file, "--out", file)
    people().astype({"children": str}).replace({"children": {"1": "inf"}}).to_csv(
        tmp_path / "far.csv", index=False
    )
    assert "infinite" in refused(run, str(tmp_path / "far.csv"), "--out", str(tmp_path / "x.csv"))


def test_images_and_texts_are_refused(tmp_path, capsys):
    np.save(tmp_path / "images.npy", np.random.default_rng(0).random((40, 4, 4)))
    quick = ["--n-clusters", "2", "--max-iter", "1", "--restarts.n", "1", "--device", "cpu"]
    images = str(tmp_path / "images")
    assert main(["train", f"{images}.npy", *quick, "--out", images]) == 0
    assert main(["impute", images, f"{images}.npy"]) == 2
    assert "was trained on images, but gedi impute" in capsys.readouterr().err
    (tmp_path / "texts.txt").write_text("\n".join(small_texts.texts()[0]))
    texts = str(tmp_path / "texts")
    command = ["train", f"{texts}.txt", "--features", small_texts.text_model(), *quick]
    assert main([*command, "--out", texts]) == 0
    assert main(["impute", texts, f"{texts}.txt"]) == 2
    assert "was trained on texts, but gedi impute" in capsys.readouterr().err
