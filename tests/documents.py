"""What documents show: blocks of Python, commands, and the same code made quick."""

import functools
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import sklearn.datasets

import gedi
from gedi.normalizer.estimate import LogNormalizer
from gedi.settings import RestartSettings, Settings
from gedi.training.trained import TrainedModel

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
KNOWN = LogNormalizer(value=0.0, error=0.01, ess=1000.0, method="annealing")


def python_blocks(file: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL)


def commands(file: Path) -> list[list[str]]:
    """The arguments of each `gedi ...` in the shell blocks of a document."""
    blocks = re.findall(r"```(?:sh|bash|shell)\n(.*?)```", file.read_text("utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines if "gedi" in line]
    return [line[1:] for line in words if line and Path(line[0]).name == "gedi"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, small_mixtures: None) -> None:
    """The same code on fewer points, for fewer iterations."""
    for name in ("GEDI", "GEDIClassifier", "GEDISymbols"):
        kind = getattr(gedi, name)
        fast = functools.partial(kind, max_iter=6, n_restarts=1, encoder=(16,))
        fast.load = kind.load  # type: ignore[attr-defined]
        monkeypatch.setattr(gedi, name, fast, raising=False)
    # Where most of the time of so short a training would go.
    monkeypatch.setattr("gedi.training.session.annealed_log_normalizer", lambda *_, **__: KNOWN)
    sample = functools.partialmethod(TrainedModel.sample, n_steps=2)
    monkeypatch.setattr(TrainedModel, "sample", sample)
    fit = gedi.fit

    def quick_fit(*arguments, settings=None, **options):
        few = replace(settings or Settings(), max_iter=12, restarts=RestartSettings(n=1))
        return fit(*arguments, settings=few, **options)

    monkeypatch.setattr(gedi, "fit", quick_fit, raising=False)
    digits = sklearn.datasets.load_digits()
    few = {"images": digits.images[:200], "target": digits.target[:200]}
    monkeypatch.setattr(
        sklearn.datasets,
        "load_digits",
        lambda: sklearn.utils.Bunch(**{k: v.copy() for k, v in few.items()}),
    )
