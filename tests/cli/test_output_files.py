"""Files that commands write: never over an input, over other files only if asked."""

import errno
import os
import shutil
import subprocess
import sys
from contextlib import chdir, redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from gedi.cli import main
from gedi.runs.lock import only_writer
from processes import said_by

pytestmark = pytest.mark.usefixtures("short_reports")

SMALL = [
    *("--n-clusters", "2", "--restarts.n", "1", "--encoder.hidden", "[16]", "--device", "cpu"),
    *("--batch-size", "32", "--evaluate-every", "10", "--max-iter", "20"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a table of several kinds of columns, and a run of it; and what was said."""
    folder = tmp_path_factory.mktemp("mixed")
    rng = np.random.default_rng(0)
    kind = np.arange(200) % 2
    pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(200)],
            "a": rng.normal(size=200) + 6 * kind,
            "city": rng.choice(["Rome", "Oslo", "Bonn"], 200),
            "when": pd.date_range("2021-01-01", periods=200).astype(str)[rng.permutation(200)],
            "gap": np.where(np.arange(200) % 9 == 0, np.nan, rng.normal(size=200)),
        }
    ).to_csv(folder / "clusters.csv", index=False)
    with chdir(folder):
        out, err = said_by("train", "clusters.csv", *SMALL, "--out", "run")
    return folder, out, err


@pytest.fixture
def run(trained, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("clusters.csv").write_bytes((trained[0] / "clusters.csv").read_bytes())
    return str(trained[0] / "run")


def test_what_was_done_with_columns_is_said_everywhere(trained):
    folder, _, err = trained
    said = [
        "column id: left out (200 different values in 200 rows, like an ID)",
        "column city: category, 3 features",
        "column when: date (read as year-month-day, days since 1970-01-01)",
        "column gap: number, 2 features (23 missing, filled with the median",
    ]
    for line, expected in zip(err.splitlines(), said, strict=False):
        assert line.startswith(f"note: {expected}")
    page = (folder / "run" / "report.html").read_text()
    assert "How the data were read" in page and "column id: left out" in page
    columns = yaml.safe_load((folder / "run" / "run.json").read_text())["columns"]
    assert [column["kind"] for column in columns] == [
        "drop",
        "number",
        "category",
        "date",
        "number",
    ]


def test_new_tables_are_read_as_in_the_training(run, capsys):
    new = pd.read_csv("clusters.csv").drop(columns="id")[::-1]
    new.to_parquet("new.parquet")
    new.to_csv("new.csv.gz", index=False, sep=";", decimal=",")
    names = ("clusters.csv", "new.parquet", "new.csv.gz")
    for i, name in enumerate(names):
        assert main(["predict", run, name, "--out", f"{i}.parquet"]) == 0
    assert "note: missing values were filled in: gap 23\n" in capsys.readouterr().err
    first, *others = (pd.read_parquet(f"{i}.parquet") for i in range(3))
    for other in others:
        pd.testing.assert_frame_equal(first, other[::-1].reset_index(drop=True))
    new.astype({"a": str}).replace({"a": {new["a"].astype(str)[5]: "five"}}).to_csv("bad.csv")
    capsys.readouterr()
    assert main(["predict", run, "bad.csv"]) == 2
    said = capsys.readouterr().err
    assert "column 'a' holds numbers, but 'five' in row 194" in said
    assert "--drop" not in said and "--label" not in said


def test_columns_in_another_order_are_taken_by_name_and_said(run, capsys):
    table = pd.read_csv("clusters.csv")
    table.to_csv("usual.csv", index=False)
    table[table.columns[::-1]].to_csv("turned.csv", index=False)
    for name in ("usual", "turned"):
        assert main(["predict", run, f"{name}.csv", "--out", f"{name}.parquet"]) == 0
        said = "columns come in another order than in the training" in capsys.readouterr().err
        assert said == (name == "turned")
    usual, turned = (pd.read_parquet(f"{name}.parquet") for name in ("usual", "turned"))
    pd.testing.assert_frame_equal(usual, turned)


def test_predictions_are_never_written_over_the_input(run, capsys):
    before = Path("clusters.csv").read_bytes()
    Path("link.csv").hardlink_to("clusters.csv")
    for out in ("clusters.csv", "./clusters.csv", "link.csv"):
        for more in ([], ["--overwrite"]):
            assert main(["predict", run, "clusters.csv", "--out", out, *more]) == 2
            assert "is the input, which is never overwritten" in capsys.readouterr().err
    assert Path("clusters.csv").read_bytes() == before
    assert main(["predict", run, "clusters.csv"]) == 0
    assert Path("clusters.csv").read_bytes() == before
    assert Path("clusters-clusters.csv").is_file()


def test_existing_files_are_replaced_only_if_asked(run, capsys):
    commands = [
        ("x.csv", ["predict", run, "clusters.csv"]),
        ("x.npz", ["sample", run, "-n", "3", "--n-steps", "1"]),
        ("x.json", ["evaluate", run]),
        ("x.onnx", ["export", run]),
        ("x.md", ["card", run]),
    ]
    for name, command in commands:
        Path(name).write_text("mine")
        assert main([*command, "--out", name]) == 2
        assert "already exists: choose another --out, or add --overwrite" in capsys.readouterr().err
        assert Path(name).read_text() == "mine"
    for name, command in commands[:2]:
        assert main([*command, "--out", name, "--overwrite"]) == 0
        assert Path(name).read_bytes() != b"mine"


def test_names_that_are_too_long_are_told(run, capsys):
    for command in (
        ["predict", run, "clusters.csv", "--out", "x" * 300 + ".csv"],
        ["predict", run, "clusters.csv", "--out", "x" * 248 + ".csv"],
        ["sample", run, "--out", "x" * 300 + ".npz"],
        ["train", "clusters.csv", *SMALL, "--out", "x" * 300],
    ):
        assert main(command) == 2
        assert "File name too long" in capsys.readouterr().err


def test_a_run_that_may_not_be_written_to(run, monkeypatch, capsys):
    shutil.copytree(run, "mine")
    before = {path: path.read_bytes() for path in Path("mine").iterdir() if path.is_file()}
    usual = os.open

    def deny(path, *options, **more):  # as permissions do, which do not bind the root
        if Path(os.fsdecode(path)).parent.name == "mine":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return usual(path, *options, **more)

    monkeypatch.setattr(os, "open", deny)
    assert main(["train", "clusters.csv", *SMALL, "--out", "mine", "--overwrite"]) == 2
    assert "mine: cannot be written to: Permission denied" in capsys.readouterr().err
    assert all(path.read_bytes() == content for path, content in before.items())


HOLD = "import sys; from pathlib import Path; from gedi.runs.lock import only_writer\n" + (
    "with only_writer(Path(sys.argv[1])), only_writer(Path(sys.argv[2])):\n"
    "    print('held', flush=True); sys.stdin.read()"
)


def test_one_training_at_a_time_writes_to_a_folder(run, capsys):
    shutil.copytree(run, "mine")
    before = {file: file.read_bytes() for file in Path("mine").rglob("*") if file.is_file()}
    Path("mine/result.json").rename("result.json")  # as if it were running
    del before[Path("mine/result.json")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    holder = subprocess.Popen([sys.executable, "-c", HOLD, "mine", "sweep"], **pipes)
    try:
        assert holder.stdout.readline() == "held\n"
        for command in (
            ["train", "clusters.csv", *SMALL, "--out", "mine", "--overwrite"],
            ["resume", "mine"],
            ["sweep", "clusters.csv", "--out", "sweep"],
        ):
            assert main(command) == 2
            assert "another process is training in this folder" in capsys.readouterr().err
        after = {file: file.read_bytes() for file in Path("mine").rglob("*") if file.is_file()}
        assert after == before
    finally:
        holder.kill()
        holder.communicate()
    assert main(["resume", "mine"]) == 0  # a dead process holds nothing


def test_dates_are_dates_in_what_commands_write(run):
    assert main(["predict", run, "clusters.csv", "--explain", "--out", "p.csv"]) == 0
    found = pd.read_csv("p.csv", dtype={"typical_when": "string"})
    assert list(found.filter(like="typical_")) == [
        *("typical_a", "typical_city", "typical_when", "typical_gap"),
    ]
    assert found["typical_when"].str.fullmatch(r"2021-\d\d-\d\d.*").all()
    assert set(found["typical_city"]) <= {"Rome", "Oslo", "Bonn"}
    reasons = found["reasons"].dropna()
    assert not reasons.str.contains(r"\(days\)|city=").any()
    np.testing.assert_allclose(
        found.filter(like="contribution_").sum(axis=1), -found["outlier_score"], atol=1e-6
    )
    for name in ("s.csv", "s.parquet"):
        assert main(["sample", run, "-n", "30", "--n-steps", "2", "--out", name]) == 0
    drawn = pd.read_csv("s.csv")
    assert list(drawn) == ["a", "city", "when", "gap", "cluster"]
    dates = pd.to_datetime(drawn["when"])
    assert dates.between("2021-01-01", "2021-07-20").all()
    assert list(pd.read_parquet("s.parquet")) == list(drawn)
    page = (Path(run) / "report.html").read_text()
    assert "when (days)" not in page.partition("Settings")[0]
    assert " days" in page


def test_the_lock_is_free_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), only_writer(tmp_path / "run"):
        raise ZeroDivisionError
    with only_writer(tmp_path / "run"):
        pass


def test_a_reader_that_ends_early_is_no_error(run):
    reader, writer = os.pipe()
    os.close(reader)
    with (
        os.fdopen(writer, "w") as closed,
        redirect_stdout(closed),
        pytest.raises(SystemExit) as ended,  # as rich ends programs whose output is not read
    ):
        main(["train", "clusters.csv", *SMALL, "--max-iter", "2", "--out", "o"])
    assert ended.value.code == 1
    assert Path("o/result.json").is_file()


def test_far_values_have_a_cluster(run):
    new = pd.read_csv("clusters.csv")[:4].astype({"a": float})
    new["a"] = [1e300, -1e300, 1e100, 1e20]
    new.to_csv("far.csv", index=False)
    assert main(["predict", run, "far.csv", "--out", "x.csv"]) == 0
    found = pd.read_csv("x.csv")
    assert np.isfinite(found).all(axis=None)
    np.testing.assert_allclose(found.filter(like="probability").sum(axis=1), 1, atol=1e-5)


def test_fewer_different_rows_than_clusters_are_told(run, capsys):
    rows = np.arange(17) % 6
    pd.DataFrame({"a": rows, "b": rows % 3}).to_csv("copies.csv", index=False)
    arguments = ["--n-clusters", "10", *SMALL[2:], "--max-iter", "2"]
    assert main(["train", "copies.csv", *arguments, "--out", "o"]) == 0
    said = capsys.readouterr().err
    assert "only 6 of the 17 rows differ, so that at most 6 of the 10 clusters can be used" in said
