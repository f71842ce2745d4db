"""Whole trainings with default settings reach what the project promises; minutes each."""

import pytest

from gedi.data.source import load
from gedi.evaluation.clustering import accuracy, nmi
from gedi.report.findings import find
from gedi.settings import Settings
from gedi.training.session import start

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["moons", "circles"])
def test_toys_are_clustered_and_their_density_found(name: str) -> None:
    fit = start(load(name), Settings()).run()
    findings = find(fit.trained, load(name, n_points=2000, seed=1_000_003), fit.settings)
    assert findings.metrics["NMI"] >= 0.99
    assert findings.metrics["regret"] <= 0.1
    assert findings.collapse_gap <= 0.05


def test_digits_are_clustered_and_outliers_told_apart() -> None:
    digits = load("digits")
    fit = start(digits, Settings()).run()
    findings = find(fit.trained, digits, fit.settings)
    assert digits.labels is not None
    assert nmi(digits.labels, findings.prediction.clusters) >= 0.9
    assert accuracy(digits.labels, findings.prediction.clusters) >= 0.9
    assert min(v for k, v in findings.metrics.items() if k.startswith("AUROC")) >= 0.95
