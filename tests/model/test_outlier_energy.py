"""The outlier energy: exact values, reasons that add up, and false alarms as promised."""

import numpy as np
import pytest
import torch
from scipy.stats import binom
from sklearn.datasets import load_wine
from torch import Generator

from gedi.model.outlier_energy import DirectionReference, OutlierEnergy, Reference

WINE = load_wine().data


def seeded(seed=0):
    return Generator().manual_seed(seed)


def standardised(x):
    return (x - x.mean(0)) / x.std(0)


def tensor(x):
    return torch.from_numpy(np.ascontiguousarray(x))


def coordinates(x, reference):
    """T of the docstring, in numpy."""
    shift, scale, reach = (getattr(reference, name).numpy() for name in ("shift", "scale", "reach"))
    t = (x - shift) / scale
    size = np.minimum(abs(t), reach)
    inner = np.where(size > 6, 6 * (1 + np.log1p(np.log(np.maximum(size, 6) / 6))), size)
    return np.sign(t) * (inner + 6 * np.maximum(abs(t) / reach - 1, 0))


@pytest.fixture(scope="module")
def rows():
    x = np.random.default_rng(0).standard_t(3, size=(200, 4))
    return tensor(x)


def test_a_reference_has_the_dimension_and_the_typical_distances_of_its_own_rows(rows):
    found = Reference.fit(rows)
    nearest = found.nearest(found.rows)
    distances = nearest.distances + 4 * 1e-3
    k = distances.shape[1]
    slopes = (distances[:, -1:] / distances[:, :-1]).log().sum(1) / (k - 1)
    torch.testing.assert_close(found.dimension, 1 / slopes.mean())
    typical = found.column_distances(found.rows, nearest.places).mean(0)
    torch.testing.assert_close(found.typical, typical)


@pytest.fixture(scope="module")
def reference(rows):
    return Reference.fit(rows)


def test_the_energy_of_a_reference_is_that_of_its_formula(rows, reference):
    x = np.random.default_rng(1).normal(size=(50, 4)) * 4
    kept, k = reference.rows.numpy(), round(180**0.5)
    differences = abs(coordinates(x, reference)[:, None] - coordinates(kept, reference))
    r = np.sort(differences.sum(-1), 1)[:, :k].mean(1) + 4 * 0.001
    r_mean = float(reference.typical.sum())
    expected = float(reference.dimension) * np.log(r / r_mean)
    np.testing.assert_allclose(reference(tensor(x)).numpy(), expected, rtol=1e-9)


def test_a_row_is_not_its_own_neighbour(rows, reference):
    kept = reference.rows.numpy()
    z = coordinates(kept, reference)
    distances = np.sort(abs(z[:, None] - z).sum(-1), 1)[:, 1 : 1 + round(180**0.5)]
    found = reference.nearest(reference.rows).distances.numpy()
    np.testing.assert_allclose(found, distances, rtol=1e-9)
    r = distances + 4 * 0.001
    np.testing.assert_allclose(reference.typical.sum(), r.mean(), rtol=1e-9)
    slopes = np.log(r[:, -1:] / r[:, :-1])
    np.testing.assert_allclose(reference.dimension, 1 / slopes.mean(), rtol=1e-9)
    assert 2.5 < float(reference.dimension) < 4


def test_a_reference_keeps_its_typical_rows(rows, reference):
    assert len(reference.rows) == 180
    kept = {row.tobytes() for row in reference.rows.numpy()}
    gone = np.array([row for row in rows.numpy() if row.tobytes() not in kept])
    assert abs(gone).sum(1).min() > np.median(abs(rows.numpy()).sum(1))


def test_held_out_energies_come_from_references_that_do_not_know_the_row():
    x = tensor(np.random.default_rng(0).normal(size=(40, 3)))
    energy, places = OutlierEnergy.fit(x, seeded())
    assert sorted(places.tolist()) == list(range(40))
    order = [torch.randperm(40, generator=generator) for generator in [seeded()] for _ in range(3)]
    each = energy.each(x).numpy()
    for i, place in enumerate(places.tolist()):
        strangers = [2 * j + (place in half[:20]) for j, half in enumerate(order)]
        expected = each[strangers, place].mean()
        np.testing.assert_allclose(energy.held_out[i], expected, rtol=1e-9)


def test_of_many_rows_those_that_no_reference_knows_are_held_out():
    x = tensor(np.random.default_rng(0).normal(size=(9000, 1)))
    energy, places = OutlierEnergy.fit(x, seeded())
    known = torch.cat([one.rows for one in energy.references])
    assert len(places) == len(energy.held_out) == 2000
    assert not torch.isin(x[places], known).any()
    np.testing.assert_allclose(energy.held_out, energy(x[places]), rtol=1e-9)


def test_typical_points_have_an_energy_of_about_zero():
    for x in (standardised(WINE), np.random.default_rng(0).normal(size=(3000, 2))):
        energy, _ = OutlierEnergy.fit(tensor(x), seeded())
        assert abs(float(energy(tensor(x)).median())) < 0.5


@pytest.mark.parametrize("d", [2, 30])
def test_far_rows_come_first_and_do_not_move_the_others(d):
    x = np.random.default_rng(0).normal(size=(500, d))
    clean = OutlierEnergy.fit(tensor(x), seeded())[0](tensor(x)).numpy()
    odd = x.copy()
    odd[:3] *= np.array([[1e3], [1e6], [1e12]])
    odd[3, 0], odd[4, 1] = -999, 99999
    energy, _ = OutlierEnergy.fit(tensor(odd), seeded())
    found = energy(tensor(odd)).numpy()
    assert np.isfinite(found).all()
    assert set(np.argsort(-found)[:5]) == set(range(5))
    assert np.corrcoef(clean[5:], found[5:])[0, 1] > 0.97
    halves = energy(torch.full((1, d), 60000.0, dtype=torch.float16))
    assert halves.dtype == torch.float16 and halves.isfinite().all()


def test_outliers_in_the_training_do_not_vouch_for_each_other():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(475, 5)), 6 + rng.normal(size=(25, 5)) / 2])
    energy, _ = OutlierEnergy.fit(tensor(x), seeded())
    assert set(np.argsort(-energy(tensor(x)).numpy())[:25]) == set(range(475, 500))


@pytest.mark.parametrize("n", [2, 3, 7])
def test_few_rows_repeated_rows_and_constant_columns(n):
    x = tensor(np.random.default_rng(0).normal(size=(n, 3)))
    x[:, 1] = 5.0
    for rows in (x, x[:1].repeat(n, 1)):
        energy, _ = OutlierEnergy.fit(rows, seeded())
        far = energy(rows[:1] + 100)
        assert bool((far > energy(rows)).all()) and far.isfinite().all()


def test_shapes_and_types_follow_the_points():
    x = tensor(standardised(WINE)).float()
    energy, _ = OutlierEnergy.fit(x, seeded())
    assert energy.held_out.dtype == torch.float32
    for dtype in (torch.float64, torch.float32, torch.float16):
        found = energy(x[:24].reshape(2, 3, 4, 13).to(dtype))
        assert found.shape == (2, 3, 4) and found.dtype == dtype
        np.testing.assert_allclose(found.flatten().float(), energy(x[:24]), atol=0.05)
    together, alone = energy(x.double()), energy(x[5:6].double())
    assert torch.equal(together[5:6], alone)


def test_contributions_add_up_to_the_energy():
    x = standardised(WINE)
    x[0, 4] += 30
    energy, _ = OutlierEnergy.fit(tensor(x), seeded())
    contributions, typical = energy.explain(tensor(x))
    np.testing.assert_allclose(contributions.sum(1), energy(tensor(x)), rtol=1e-9, atol=1e-12)
    assert contributions[0].argmax() == 4
    assert contributions[0, 4] > 0.8 * contributions[0].sum()
    assert abs(float(typical[0, 4])) < 2
    assert np.isin(typical.numpy(), x).all()


def test_contributions_at_a_typical_distance_are_the_limit(reference):
    x = reference.rows[:1].clone()
    reference = Reference(**dict(reference.named_buffers()))
    usual = reference.column_distances(x, reference.nearest(x).places)[0]
    reference.typical = usual * torch.tensor([1 + 1e-9, 1, 1, 1])
    contributions, _ = reference.contributions(x)
    assert contributions.abs().max() < 1e-7 and contributions.isfinite().all()


def test_p_values_count_held_out_rows_that_are_as_unusual():
    x = tensor(np.random.default_rng(0).normal(size=(99, 2)))
    energy, _ = OutlierEnergy.fit(x, seeded())
    held_out = energy.held_out.numpy()
    values = np.array([held_out.max() + 1, held_out.min() - 1, np.sort(held_out)[-3]])
    np.testing.assert_array_equal(energy.p_values(tensor(values)), [0.01, 1.0, 0.04])
    energy.clusters = (torch.arange(99) < 9).long()
    own = np.sort(held_out[:9])
    p = energy.p_values(tensor(own[[8, 8, 0]]), torch.tensor([1, 2, 1]))
    np.testing.assert_allclose(p, [0.2, 1.0, 1.0])


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.37])
def test_the_threshold_is_where_p_values_reach_alpha(alpha):
    x = tensor(np.random.default_rng(0).normal(size=(99, 2)))
    energy, _ = OutlierEnergy.fit(x, seeded())
    values = tensor(np.linspace(-5, 10, 2001))
    above = values > energy.threshold(alpha)
    assert torch.equal(above, energy.p_values(values) <= alpha) and above.any()
    assert energy.threshold(0.0099) == np.inf


def draws(name, n, rng):
    if name == "wine":
        order = rng.permutation(len(WINE))
        return WINE[order[:n]], WINE[order[n : n + 1]]
    x = rng.normal(size=(n + 1, 10)) if name == "normal" else rng.standard_t(2, (n + 1, 10))
    return x[:n], x[n:]


@pytest.mark.parametrize(
    ("name", "n", "alpha"),
    [
        ("wine", 120, 0.05),
        pytest.param("normal", 150, 0.05, marks=pytest.mark.slow),
        pytest.param("normal", 12, 0.16, marks=pytest.mark.slow),
        ("heavy", 12, 0.16),
    ],
)
def test_false_alarms_are_as_rare_as_promised(name, n, alpha):
    rng, trials, alarms = np.random.default_rng(0), 150, 0
    for seed in range(trials):
        x, new = draws(name, n, rng)
        centre, scale = np.median(x, 0), x.std(0)
        energy, _ = OutlierEnergy.fit(tensor((x - centre) / scale), seeded(seed))
        p = energy.p_values(energy(tensor((new - centre) / scale)))
        alarms += int((p <= alpha).sum())
    assert binom.ppf(0.001, trials, alpha / 2) <= alarms <= binom.ppf(0.999, trials, alpha)


def test_it_is_read_back_from_its_tensors():
    x = tensor(standardised(WINE)).float()
    energy, _ = OutlierEnergy.fit(x, seeded())
    saved = energy.state_dict()
    again = OutlierEnergy.blank(saved, 13)
    again.load_state_dict(saved)
    assert torch.equal(again(x), energy(x))
    for name, value in (
        ("references.0.shift", torch.zeros(12)),
        ("references.3.rows", torch.zeros(0, 13)),
        ("held_out", torch.zeros(3)),
        ("other", torch.zeros(1)),
    ):
        with pytest.raises(ValueError, match="outliers: expected tensors of the shapes"):
            OutlierEnergy.blank(saved | {name: value}, 13)


D, ORIGIN = 120, torch.full((120,), -2.0, dtype=torch.float64)


def features(n, seed=0):
    """Rows around ten directions whose columns are not negative, of length about 10, scaled."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).exponential(size=(10, D))
    x = np.maximum(centres[rng.integers(10, size=n)] + 0.3 * rng.normal(size=(n, D)), 0)
    return tensor(10 * x / np.linalg.norm(x, axis=1, keepdims=True)) + ORIGIN


def test_the_energy_of_directions_is_that_of_its_formula():
    found, x = DirectionReference.around(features(200), ORIGIN), features(30, 1)

    def stretched(points):
        u = (points - ORIGIN).numpy()
        length = np.linalg.norm(u, axis=1, keepdims=True)
        return np.sqrt(D) * u / length * (length / 10) ** 0.25

    squares = (stretched(x)[:, None] - stretched(found.rows)) ** 2
    nearest = squares.sum(-1).argsort(1)[:, : round(180**0.5)]
    parts = np.take_along_axis(squares, nearest[..., None], 1).mean(1) + 1e-3
    expected = found.dimension.numpy() * np.log(parts.sum(1) / found.typical.numpy().sum())
    np.testing.assert_allclose(found(x).numpy(), expected)
    np.testing.assert_allclose(found.column_distances(x, found.nearest(x).places).numpy(), parts)


def test_directions_are_compared_where_they_are_similar_but_not_the_same():
    x = features(300)

    def kind(rows, origin):
        return type(OutlierEnergy.fit(rows, seeded(), origin=origin)[0].references[0])

    assert kind(x, ORIGIN) is DirectionReference
    assert kind(x, None) is Reference  # columns of several units
    assert kind(x, x.mean(0)) is Reference  # all directions
    assert kind(x, ORIGIN - 100) is Reference  # nearly one direction
    assert kind(x[:, :100], ORIGIN[:100]) is Reference  # few columns


def test_other_directions_and_other_lengths_are_unusual():
    x = features(1000)
    energy, _ = OutlierEnergy.fit(x, seeded(), origin=ORIGIN)
    u = features(5, 1) - ORIGIN
    other = tensor(10 * np.eye(D)[:5]) + ORIGIN
    rows = [u, 1.2 * u, 100 * u, 1e-3 * u, 0 * u]
    p = [energy.p_values(energy(some)) for some in (*(each + ORIGIN for each in rows), other)]
    assert p[0].mean() > 0.2 and p[1].mean() > 0.1
    assert all((some < 0.03).all() for some in p[2:])
    assert torch.isfinite(energy(torch.full((1, D), 1e30))).all()


def test_contributions_of_directions_add_up_and_find_the_column():
    energy, _ = OutlierEnergy.fit(features(400), seeded(), origin=ORIGIN)
    x = features(3, 1)
    x[:, 7] += 8
    found = energy.explain(x)
    torch.testing.assert_close(found.contributions.sum(1), energy(x))
    assert (found.contributions.argmax(1) == 7).all()


def test_directions_are_read_back_from_their_tensors():
    energy, _ = OutlierEnergy.fit(features(300), seeded(), origin=ORIGIN)
    back = OutlierEnergy.blank(energy.state_dict(), D)
    back.load_state_dict(energy.state_dict())
    x = features(20, 1)
    assert torch.equal(back(x), energy(x))
    mixed = energy.state_dict() | {"references.0.reach": torch.ones(D)}
    with pytest.raises(ValueError, match="expected tensors of the shapes"):
        OutlierEnergy.blank(mixed, D)
