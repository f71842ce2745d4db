"""A table of numbers, categories, dates, gaps and texts, by commands and in Python."""

import numpy as np
import pandas as pd
import pytest

import small_texts
from gedi import GEDI
from gedi.cli import main
from gedi.errors import SettingsError
from gedi.evaluation.clustering import ari
from gedi.runs import Run

pytestmark = pytest.mark.usefixtures("short_reports")

SPEED = ["--n-clusters", "3", "--max-iter", "10", "--device", "cpu"]


def tickets():
    """Texts of three subjects next to other columns."""
    found, subjects = small_texts.texts()
    codes = pd.factorize(np.array(subjects))[0]
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "body": [*found[:-1], None],
            "minutes": 10.0 * codes + rng.normal(size=60),
            "area": np.where(codes == 0, "north", "south"),
            "opened": pd.date_range("2024-01-01", periods=60).astype(str),
            "subject": subjects,
        }
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tickets")
    tickets().to_csv(folder / "tickets.csv", index=False)
    command = ["train", str(folder / "tickets.csv"), "--columns", "body=text", "--label", "subject"]
    command += ["--features", small_texts.text_model(), *SPEED]
    assert main([*command, "--out", str(folder / "run")]) == 0
    return folder


def test_the_first_lines_say_what_was_done_with_each_column(trained, tmp_path, capsys):
    command = ["train", str(trained / "tickets.csv"), "--columns", "body=text"]
    command += ["--features", small_texts.text_model(), *SPEED]
    assert main([*command, "--max-iter", "1", "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().err
    assert "note: column body: text, 3 features (3 principal axes of vectors of 384" in said
    assert "1 missing, filled with the mean of all texts" in said
    assert "note: column area: category" in said and "note: column opened: date" in said


def test_the_run_is_one_of_a_table_with_names_of_words(trained):
    run = Run.open(trained / "run")
    assert run.columns.texts == ("body",) and not run.has_texts
    result = run.result()
    assert result["metrics"]["accuracy"] > 0.9 and all(result["words"])
    page = (run.path / "report.html").read_text("utf-8")
    assert result["names"][0] in page
    assert "minutes" in page and "body axis" not in page and "How do I" in page


def test_new_rows_are_read_as_in_the_training(trained, tmp_path, capsys):
    out = tmp_path / "groups.csv"
    new = tickets().drop(columns="subject").iloc[::-1]
    new.to_csv(tmp_path / "new.csv", index=False)
    run = str(trained / "run")
    assert main(["predict", run, str(tmp_path / "new.csv"), "--out", str(out), "--explain"]) == 0
    found = pd.read_csv(out)
    assert ari(*(pd.factorize(each)[0] for each in (tickets()["subject"][::-1], found["cluster"])))
    assert {"contribution_body", "typical_minutes"} <= set(found)
    assert "typical_body" not in found and "text" not in found
    assert main(["predict", run, str(tmp_path / "new.csv"), "--text", "body"]) == 2
    assert "was not trained on texts" in capsys.readouterr().err


def test_samples_have_no_texts(trained, tmp_path, capsys):
    out = tmp_path / "samples.csv"
    assert main(["sample", str(trained / "run"), "-n", "4", "--out", str(out)]) == 0
    assert "have no texts: body is left out" in capsys.readouterr().out
    assert list(pd.read_csv(out)) == ["minutes", "area", "opened", "cluster"]


def test_a_text_is_either_alone_or_a_column(trained, capsys):
    file = str(trained / "tickets.csv")
    assert main(["train", file, "--text", "body", "--columns", "area=category"]) == 2
    assert "write --columns body=text instead" in capsys.readouterr().err
    assert main(["train", file, "--columns", "minutes=text"]) == 2


def test_python_says_the_same_and_keeps_it(trained, tmp_path):
    frame = tickets().drop(columns="subject")
    model = GEDI(
        3,
        columns={"body": "text", "opened": "drop"},
        features=small_texts.text_model(),
        max_iter=10,
        random_state=0,
    ).fit(frame)
    assert [column.kind for column in model.columns_.columns] == [
        "text",
        "number",
        "category",
        "drop",
    ]
    assert ari(pd.factorize(tickets()["subject"])[0], model.labels_) > 0.9
    assert all(model.words_)
    model.save(tmp_path / "model")
    again = GEDI.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(frame), model.labels_)
    assert list(model.sample(2)[0]) == ["minutes", "area"]
    explained = model.explain(frame[:3])
    assert list(explained.contributions) == ["body", "minutes", "area"]
    assert list(explained.typical) == ["minutes", "area"]
    gaps = frame.assign(minutes=frame["minutes"].mask(np.arange(60) % 7 == 0))
    filled, std = model.impute(gaps, return_std=True)
    assert filled["minutes"].notna().all() and filled["body"].isna().sum() == 1
    assert list(std) == ["minutes", "area"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"columns": {"body": "prose"}}, "columns: expected a dictionary from names to number"),
        ({"columns": {"body": "text"}, "features": len}, "features: expected auto, or the name"),
    ],
)
def test_wrong_kinds_and_networks_are_refused(changes, said):
    with pytest.raises(SettingsError, match=said):
        GEDI(3, **changes).fit(tickets())


def test_kinds_are_for_frames():
    with pytest.raises(SettingsError, match="columns: expected a frame as X"):
        GEDI(3, columns={"a": "drop"}).fit(np.zeros((9, 2)))


def test_the_explorer_shows_texts_next_to_values(trained):
    pytest.importorskip("gradio", reason="the explorer needs the extra explore")
    from gedi.explorer.desk import Desk  # noqa: PLC0415 - an extra
    from gedi.explorer.figures import frame_of  # noqa: PLC0415
    from gedi.explorer.uploads import points_of_text  # noqa: PLC0415

    desk = Desk.open(Run.open(trained / "run"))
    shown = frame_of(desk.population, desk.names, [0, 59])
    assert list(shown)[:4] == ["text", "point", "cluster", "log-density"]
    assert "minutes" in shown and not any("axis" in name for name in shown)
    assert shown["text"].tolist() == [tickets()["body"][0], ""]
    assert not desk.has_features and desk.figures(*_first(desk))[1] is not None
    new = points_of_text(desk.run, "body,minutes,area,opened\nHow do I bake?,3,north,2024-01-02")
    assert len(new.x) == 1 and list(new.texts) == ["How do I bake?"]


def _first(desk):
    return desk.population.dataset.x[0], desk.population.prediction_of(0)
