"""What the README and the guides show must run."""

import re

import numpy as np
import pytest
from matplotlib import pyplot

import gedi
from documents import DOCS, ROOT, python_blocks
from gedi import plot
from gedi.cli.parser import build_parser

README = ROOT / "README.md"
ESTIMATORS = DOCS / "estimators.md"
RULES = DOCS / "rules.md"
PLOTS = DOCS / "plots.md"
CHOOSING = DOCS / "choosing.md"

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.usefixtures("quick")
def test_the_first_screen_runs() -> None:
    names: dict[str, object] = {}
    for block in python_blocks(README)[:-1]:
        exec(block, names)
    assert names["model"].n_clusters_ == 3 and names["model"].labels_.shape == (178,)
    assert names["new_wines"].shape == (64, 13)
    assert 2 <= len(names["unusual"]) <= 20  # p-values up to .05 of 178
    assert names["reasons"].shape == (len(names["unusual"]), 13)
    assert names["classifier"].predict_proba(names["images"]).shape == (200, 10)
    assert names["symbols"].labels_.shape == (100, 2)


@pytest.mark.usefixtures("quick")
def test_the_guide_to_the_estimators_runs() -> None:
    names: dict[str, object] = {}
    for block in python_blocks(ESTIMATORS):
        exec(block, names)
    assert names["model"].predict(names["X"]).shape == (178,)
    assert names["table_model"].predict(names["frame"]).shape == (120,)


@pytest.mark.usefixtures("quick")
def test_the_guide_to_pictures_runs_and_has_them_all() -> None:
    pyplot.switch_backend("agg")
    names: dict[str, object] = {}
    for block in python_blocks(PLOTS):
        exec(block, names)
        drawn = pyplot.get_fignums()
        assert drawn and all(pyplot.figure(number).axes for number in drawn)
        pyplot.close("all")
    assert set(names["display"].auroc) == {"uniform", "turned"}
    text = PLOTS.read_text("utf-8")
    shown = re.findall(r"!\[.+?\]\((.*?)\)", text)
    assert len(shown) == len(python_blocks(PLOTS))
    assert all((PLOTS.parent / picture).is_file() for picture in shown)
    functions = set(re.findall(r"`(?:plot\.)?([a-z_]+)`", text.split("## What else")[1]))
    assert functions and functions <= set(plot.__all__)


@pytest.mark.usefixtures("quick")
def test_the_guide_to_the_number_of_clusters_runs() -> None:
    pyplot.switch_backend("agg")
    names: dict[str, object] = {}
    for block in python_blocks(CHOOSING):
        exec(block, names)
    search = names["search"]
    assert len(search.cells_) == 10 and search.reason_
    named = set(re.findall(r"`(\w+_)`", CHOOSING.read_text("utf-8")))
    optional = {"best_estimator_"}  # only where a number stands out
    assert named > optional and all(hasattr(search, name) for name in named - optional)
    pyplot.close("all")


@pytest.mark.usefixtures("quick")
def test_the_guide_to_rules_runs() -> None:
    pytest.importorskip("pysdd", reason="rules in logic need the extra rules")
    pytest.importorskip("klay", reason="rules in logic need the extra rules")
    names: dict[str, object] = {}
    for block in python_blocks(RULES):
        exec(block, names)
    assert names["model"].predict(names["digits"].images).shape == (200,)
    assert names["found"].outcomes.shape == (20,)
    assert names["log_p"].shape == (4, 2, 10)
    assert names["remainder"].outcomes == tuple(range(11))
    model = names["model"]
    named = set(re.findall(r"`(\w+)(?:\(.*?\))?`", RULES.read_text("utf-8")))
    learned = {name for name in named if name.endswith("_")} - {"is_"}
    assert learned and all(hasattr(model, name) for name in learned)


def test_the_pieces_train_as_shown() -> None:
    pieces = python_blocks(README)[-1]
    names: dict[str, object] = {}
    exec(pieces.replace("range(100)", "range(5)"), names)
    assert names["terms"].prior <= 0
    assert names["buffer"].positions.isfinite().all()
    assert all(p.grad is not None for p in names["model"].parameters())


def test_every_command_shown_is_a_command() -> None:
    help_text = build_parser().format_help()
    shown = set(re.findall(r"\bgedi (\w+) (?:runs|table|\S+\.csv)", README.read_text("utf-8")))
    assert shown >= {"train", "predict", "sample", "evaluate", "resume"}
    assert all(f"  {command} " in help_text for command in shown)


def test_the_guide_names_what_there_is() -> None:
    model = gedi.GEDI(2, max_iter=5, n_restarts=1, encoder=(4,))
    model.fit(np.random.default_rng(0).normal(size=(30, 2)))
    named = set(re.findall(r"`(\w+)(?:\(.*?\))?`", ESTIMATORS.read_text("utf-8")))
    learned = {name for name in named if name.endswith("_")} - {"temperature_"}
    assert learned and all(hasattr(model, name) for name in learned)


def test_the_guide_to_the_explorer_runs() -> None:
    names: dict[str, object] = {}
    for block in python_blocks(ROOT / "docs" / "explore.md"):
        exec(block, names)
    assert names["ways"].shape == (4, 6, 2)
    assert (names["ways"][..., 0] == names["moons"].x[0, 0]).all()
