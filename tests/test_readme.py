"""What the README shows must run."""

import re
from pathlib import Path

import numpy as np
import pytest

import gedi
from gedi.cli.parser import build_parser
from gedi.settings import EncoderSettings, RestartSettings

README = Path(__file__).parents[1] / "README.md"


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_short_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    short, _ = python_blocks()
    quick = gedi.Settings(
        max_iter=20,
        encoder=EncoderSettings(hidden=[8]),
        restarts=RestartSettings(n=1),
    )
    x = np.random.default_rng(0).normal(size=(60, 3))
    full = gedi.fit
    monkeypatch.setattr(
        gedi, "fit", lambda x, n_clusters: full(x, n_clusters, settings=quick), raising=False
    )
    names: dict[str, object] = {"x": x}
    exec(short, names)
    assert names["prediction"].clusters.shape == (60,)
    assert set(names["prediction"].clusters) <= set(range(5))


def test_the_pieces_train_as_shown() -> None:
    _, pieces = python_blocks()
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
