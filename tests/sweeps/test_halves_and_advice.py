"""The number of clusters, from rows that are known, and on data whose number is."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

import gedi
from gedi.errors import DataError, SettingsError
from gedi.settings import EncoderSettings, RestartSettings, Settings, WeightSettings
from gedi.sweeps import halves
from gedi.sweeps.advice import Row, advise, rows_of
from gedi.sweeps.halves import Cell, check_sweep, half, sweep
from small_trainings import ring

QUICK = Settings(
    max_iter=150,
    batch_size=64,
    learning_rate=1e-2,
    device="cpu",
    encoder=EncoderSettings(hidden=[32]),
    restarts=RestartSettings(n=1),
    weights=WeightSettings(gen=0.0),
)


def training(x, settings=QUICK, calls=None):
    def train(c, rows, seed):
        if calls is not None:
            calls.append((c, seed))
        return gedi.fit(x[rows], c, settings=replace(settings, seed=seed)).trained

    return train


def row(c, told, stability=1.0, n_cells=3):
    gap = math.log(c) - told
    return Row(c, n_cells, gap, told, 0.01, stability, stability, c, math.nan)


# Advice


def test_the_number_beyond_which_nothing_is_gained_stands_out():
    found = advise([row(2, 0.64), row(3, 1.05), row(4, 1.07, 0.7), row(5, 1.09, 0.5)])
    assert found.n_clusters == 3
    assert "3 stands out" in found.text and "1.05 nats" in found.text and "1.10" in found.text


def test_all_that_are_told_in_full_are_finer_groups_of_each_other():
    rows = [row(c, math.log(c)) for c in (2, 4)]
    assert "largest number tried" in advise(rows).text
    assert advise([*rows, row(8, 1.4, 0.5)]).n_clusters == 4


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row(3, 1.0)], "cannot be compared"),
        ([row(2, 0.6, n_cells=1), row(3, 1.0)], "trained only once"),
        (
            [row(2, 0.6), row(3, 1.05, 0.5), row(4, 1.06)],
            "number is 2, with an index of 1.00",
        ),
        ([row(2, 0.3), row(3, 0.35), row(4, 0.4)], "too little"),
        ([row(2, 0.65), row(3, 1.05), row(4, 1.2)], "between 3 and 4"),
        ([row(2, 0.65), row(3, 1.05)], "largest number tried"),
    ],
    ids=["alone", "unfinished", "unstable", "little told", "two hold", "at the end"],
)
def test_what_is_not_clear_is_said(rows, words):
    found = advise(rows)
    assert found.n_clusters is None
    assert found.text.startswith("Not clear") and words in found.text


# Rows


def test_rows_hold_what_trainings_agree_on():
    y = np.arange(100) % 2
    three = [y, 1 - y, np.arange(100) // 50]
    cells = [Cell(2, k, 0.1, -1.0, 50, clusters) for k, clusters in enumerate(three)]
    (found,) = rows_of(cells)
    assert found.collapse_gap == pytest.approx(0.1 - 1 / 100)
    assert found.told == pytest.approx(math.log(2) - 0.09)
    assert found.least_stability == pytest.approx(0, abs=0.02)
    assert found.stability == pytest.approx(1 / 3, abs=0.02)
    assert found.used == 2 and found.log_density == -1
    assert math.isnan(rows_of(cells[:1])[0].stability)


def test_halves_come_in_pairs_that_share_nothing():
    first, second, third = (half(101, part, 7) for part in range(3))
    assert np.array_equal(np.sort(np.r_[first, second]), np.arange(101))
    assert len(third) == 50 and not np.array_equal(first, third)
    assert not np.array_equal(first, half(101, 0, 8))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((100, [1, 2], 2), SettingsError, "at least 2"),
        ((100, [], 2), SettingsError, "at least 2"),
        ((100, [2, 3], 1), SettingsError, "n_parts"),
        ((9, [2, 5], 2), DataError, "at least 10 points"),
    ],
)
def test_what_cannot_be_swept_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        check_sweep(*arguments)


# Trainings


@pytest.mark.parametrize(
    ("k", "tried"), [(3, (2, 3, 4)), pytest.param(5, (4, 5, 6), marks=pytest.mark.slow)]
)
def test_the_number_of_heaps_is_found(k, tried):
    x, _ = ring(k)
    found = advise(rows_of(list(sweep(training(x), x, tried, n_parts=2))))
    assert found.n_clusters == k, found.text


def test_one_heap_has_no_number():
    x = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    found = advise(rows_of(list(sweep(training(x), x, (2, 3, 4), n_parts=2))))
    assert found.n_clusters is None, found.text


def test_cells_that_are_there_are_not_trained_again(monkeypatch):
    x, y = ring(2, n=40)
    measured = []
    monkeypatch.setattr(halves, "usual_gap", lambda _, x, shape: float(measured.append(x) or 0))
    short, calls = replace(QUICK, max_iter=2, restarts=RestartSettings(n=1)), []
    there = Cell(2, 0, 0.5, math.nan, 20, y)
    cells = list(sweep(training(x, short, calls), x, (3, 2), n_parts=2, done={(2, 0): there}))
    assert [(cell.n_clusters, cell.part) for cell in cells] == [(2, 0), (3, 0), (2, 1), (3, 1)]
    assert cells[0] is there and calls == [(3, 0), (2, 1), (3, 1)]
    assert all(cell.clusters.shape == (40,) and cell.n_unseen == 20 for cell in cells)
    # The points of the other half, which is the one of part 1 for part 0.
    np.testing.assert_array_equal(measured[0], x[half(40, 1, 0)])


@pytest.mark.slow
def test_beyond_ten_digits_little_is_gained():
    images = load_digits().images
    settings = Settings(
        device="cpu", max_iter=800, restarts=RestartSettings(n=2), weights=WeightSettings(gen=0.0)
    )
    x = images.reshape(len(images), -1)

    def train(c, rows, seed):
        chosen = replace(settings, seed=seed)
        return gedi.fit(x[rows], c, image_shape=(1, 8, 8), settings=chosen).trained

    cells = list(sweep(train, x, (8, 9, 10, 11, 12), image_shape=(1, 8, 8), n_parts=2))
    found = advise(rows_of(cells))
    # Halves agree to about 0.8 after so short a training: too little for a suggestion.
    assert found.n_clusters == 10 or "more than 10 clusters gain little" in found.text, found.text
