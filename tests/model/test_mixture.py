"""The mixture under the energy of tables."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.distributions import MultivariateNormal, StudentT

from gedi.model.components import GAUSSIAN, Components, partition
from gedi.model.mixture import MixtureBase, robust_moments

LOG_2_PI = math.log(2 * math.pi)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=seeded(seed))


def fitted(x, seed=0):
    return MixtureBase.fit(x, seeded(seed)).double()


def groups(n, seed=0):
    """Three elongated groups in four dimensions."""
    colours = randn(4, 4, seed=99)
    which = torch.randint(3, (n,), generator=seeded(seed))
    return randn(n, 4, seed=seed + 1) @ (0.5 * colours) + 3 * torch.eye(4).double()[which]


DATA, TEST = groups(500), groups(2000, seed=7)


@pytest.fixture(scope="module")
def clean():
    return fitted(DATA)


@pytest.fixture(scope="module")
def clean_score(clean):
    return float(clean(TEST).mean())


def pair(freedom):
    weights = torch.tensor([0.3, 0.7], dtype=torch.float64)
    means = torch.tensor([[0.0, 1.0], [4.0, -2.0]], dtype=torch.float64)
    whiteners = torch.tensor([[[1.0, 0], [0, 1]], [[2.0, 0], [0.5, 0.8]]], dtype=torch.float64)
    return Components.of(weights, torch.full_like(weights, freedom), means, whiteners)


def test_components_are_gaussians_where_freedom_is_large():
    law, y = pair(GAUSSIAN), 3 * randn(50, 2)
    precisions = law.whiteners.mT @ law.whiteners
    exact = MultivariateNormal(law.means, precision_matrix=precisions)
    expected = torch.logsumexp(exact.log_prob(y[:, None]) + law.weights.log(), 1)
    torch.testing.assert_close(law(y), expected, rtol=0, atol=2e-5)


def test_a_component_in_one_dimension_is_a_t():
    one = torch.ones(1, dtype=torch.float64)
    law = Components.of(one, 6 * one, one[:, None] * 2, one[:, None, None] / 3)
    y = 20 * randn(50, 1)
    torch.testing.assert_close(law(y), StudentT(6.0, 2.0, 3.0).log_prob(y[:, 0]))


@pytest.mark.parametrize("freedom", [GAUSSIAN, 6.0])
def test_draws_of_components_have_their_moments(freedom):
    law = pair(freedom)
    y = law.sample(60_000, seeded())
    mean = law.weights @ law.means
    factor = freedom / (freedom - 2)
    within = torch.linalg.inv(law.whiteners.mT @ law.whiteners) * factor
    centred = law.means - mean
    covariance = torch.einsum("k,kij->ij", law.weights, within)
    covariance += (law.weights[:, None] * centred).T @ centred
    # Standard errors of at most 0.008 and 0.03.
    torch.testing.assert_close(y.mean(0), mean, rtol=0, atol=0.03)
    torch.testing.assert_close(y.T.cov(), covariance, rtol=0, atol=0.12)


def test_far_rows_do_not_take_the_starts():
    y = torch.cat([randn(500, 2) + 4, randn(500, 2, seed=1) - 4, torch.full((5, 2), 1e3)])
    sizes = partition(y.double(), 3, seeded()).sum(0).sort().values
    assert float(sizes[1]) > 400


def test_robust_moments_are_those_of_a_gaussian_whatever_few_rows_do():
    root = torch.tensor([[1.0, 0.5, 0], [0, 2, 0], [0, 0, 0.3]], dtype=torch.float64)
    z = randn(5000, 3) @ root + 1
    mean, covariance = robust_moments(torch.cat([z, torch.full((25, 3), 20.0).double()]))
    torch.testing.assert_close(mean, torch.ones(3).double(), rtol=0, atol=0.15)
    torch.testing.assert_close(covariance, root.T @ root, rtol=0.1, atol=0.15)


def test_a_gaussian_is_found():
    covariance = torch.tensor([[2.0, 0.6, 0], [0.6, 0.5, 0], [0, 0, 100]], dtype=torch.float64)
    law = MultivariateNormal(torch.tensor([1.0, -3.0, 50.0]).double(), covariance)
    torch.manual_seed(0)
    x, test = law.sample((2000,)), law.sample((4000,))
    base = fitted(x)
    assert float((law.log_prob(test) - base(test)).mean()) == pytest.approx(0, abs=0.05)
    # What preconditions chains: the bulk's own moments.
    torch.testing.assert_close(base.mean, law.mean, rtol=0.05, atol=0.15)
    root = base.root(torch.eye(3).double())
    size = covariance.diagonal().sqrt()
    relative = (root @ root - covariance) / (size[:, None] * size)
    assert float(relative.abs().max()) < 0.1


def test_integrates_to_one_in_one_dimension():
    x = torch.cat([randn(300), 0.2 * randn(300, seed=1) + 4, randn(300, seed=2).exp()])[:, None]
    base = fitted(x)
    at = torch.linspace(-60, 60, 400_001, dtype=torch.float64)
    mass = torch.trapezoid(base(at[:, None]).exp(), at)
    assert float(mass) == pytest.approx(1, abs=2e-3)  # the t tails leave the grid


@pytest.mark.parametrize("skewed", [False, True])
def test_integrates_to_one_in_two_dimensions(skewed):
    a, b = randn(2, 600)
    x = torch.stack([(0.7 * a).exp() if skewed else a, 0.5 * a + b], 1)
    base = fitted(x)
    spread = x.quantile(0.95, dim=0) - x.quantile(0.05, dim=0)
    low, high = x.amin(0) - 3 * spread, x.amax(0) + 3 * spread

    def points(i):
        """Over all the range, and close together where the data are."""
        levels = torch.linspace(0, 1, 300, dtype=torch.float64)
        return torch.cat([low[i] + levels * (high[i] - low[i]), x[:, i].quantile(levels)]).sort()[0]

    a, b = points(0), points(1)
    parts = torch.cartesian_prod(a, b).split(20_000)
    density = torch.cat([base(part) for part in parts]).exp().reshape(600, 600)
    mass = torch.trapezoid(torch.trapezoid(density, b, dim=1), a)
    assert float(mass) == pytest.approx(1, abs=0.01)


def test_shapes_dtypes_and_batches(clean):
    single = MixtureBase.fit(DATA.float(), seeded())
    x = TEST[:24].reshape(2, 3, 4, 4)
    for dtype in (torch.float32, torch.float64):
        log_density = single(x.to(dtype))
        assert log_density.shape == (2, 3, 4) and log_density.dtype == dtype
    torch.testing.assert_close(log_density.flatten(), single(x.reshape(24, 4)))
    assert single.sample((2, 5), seeded()).shape == (2, 5, 4)
    assert single.whiten(x).shape == (2, 3, 4, 4)
    assert all(b.dtype in {torch.float32, torch.int64} for b in single.buffers())


def test_gradient_is_that_of_differences(clean):
    x = TEST[:5].clone().requires_grad_()
    assert torch.autograd.gradcheck(clean, (x,), atol=1e-4)


@pytest.mark.parametrize("skewed", [False, True])
def test_finite_everywhere_with_its_gradient(skewed):
    base = MixtureBase.fit(DATA.exp() if skewed else DATA, seeded())
    far = [[1e30] * 4, [-3e38, 0, 0, 3e38], [1e12, 0, 0, 0], [0.0] * 4]
    x = torch.tensor(far).requires_grad_()
    log_density = base(x)
    log_density.sum().backward()
    assert log_density.isfinite().all() and x.grad.isfinite().all()
    assert bool((log_density[:3] < base(DATA.float()).min() - 10).all())


def test_draws_cannot_be_told_from_data(clean):
    """A classical two-sample statistic, the energy distance, against that of two halves of data."""
    draws, more = clean.sample((1000,), seeded()), groups(1000, seed=21)

    def distance(a, b):
        within = torch.cdist(a, a).mean() + torch.cdist(b, b).mean()
        return float(2 * torch.cdist(a, b).mean() - within)

    halves = [distance(groups(1000, seed=s), groups(1000, seed=s + 3)) for s in range(30, 42, 4)]
    assert distance(draws, more) < 3 * max(halves)
    assert distance(draws + 0.5, more) > 5 * max(halves)


def test_draws_are_of_its_density(clean):
    """E_q[p / q] = 1 for another density p."""
    x, other = clean.sample((10_000,), seeded()), fitted(DATA, 1)
    ratio = (other(x) - clean(x)).exp()
    assert 0.05 < float(ratio.std()) < 2
    assert float(ratio.mean()) == pytest.approx(1, abs=4 * float(ratio.std()) / 100)


def test_the_generator_decides():
    one, other = (MixtureBase.fit(DATA[:300], seeded(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.buffers(), other.buffers(), strict=True))
    assert torch.equal(one.sample((9,), seeded()), other.sample((9,), seeded()))
    assert not torch.equal(one.sample((9,), seeded()), one.sample((9,), seeded(1)))


@pytest.mark.parametrize("name", ["linear", "normal", "wide"])
def test_returns_from_its_tensors(name, tmp_path):
    data = {"linear": DATA, "normal": (2 * DATA).exp(), "wide": randn(400, 80)}[name]
    base = MixtureBase.fit(data, seeded())
    save_file(base.state_dict(), tmp_path / "model.safetensors")
    tensors = load_file(tmp_path / "model.safetensors")
    again = MixtureBase.blank(tensors)
    again.load_state_dict(tensors)
    x = data[:20].float()
    assert torch.equal(again(x), base(x))
    assert torch.equal(again.sample((5,), seeded()), base.sample((5,), seeded()))
    assert torch.equal(again.root(x), base.root(x)) and torch.equal(again.mean, base.mean)


# What tables hold that no law foresees.


@pytest.mark.parametrize("size", [1e3, 1e6, 1e12])
@pytest.mark.parametrize("rows", [1, 5])
def test_far_rows_leave_the_density_of_the_others(size, rows, clean_score):
    far = torch.full((1, 4), size).double() if rows == 1 else size * randn(rows, 4)
    base = fitted(torch.cat([DATA, far]))
    assert float(base(TEST).mean()) > clean_score - 0.4
    assert float(base(far).max()) < float(base(DATA).min()) - 5
    draws = base.sample((2000,), seeded())
    assert float(draws.abs().max()) < 60
    # Chains are conditioned by the bulk.
    root = base.root(torch.eye(4).double()).diagonal()
    assert bool((root < 2 * DATA.std(0)).all() and (root > 0.3 * DATA.std(0)).all())


@pytest.mark.parametrize("value", [-999.0, 99999.0])
def test_sentinels(value, clean_score):
    x = DATA.clone()
    x[:25, 1] = value
    base = fitted(x)
    assert float(base(TEST).mean()) > clean_score - 0.5
    assert float(base(x[:25]).mean()) > -30


def test_a_third_identical_rows(clean_score):
    base = fitted(torch.cat([DATA, DATA[:1].expand(250, 4)]))
    assert float(base(TEST).mean()) > clean_score + math.log(2 / 3) - 0.6
    assert base(DATA[:1]) > base(TEST).max() + 5


@pytest.mark.parametrize("others", [torch.full((500, 1), 7.0).double(), 7 + randn(500, 1)])
def test_repeated_rows_are_drawn_wherever_they_are(others):
    """Also those without which a column would be constant."""
    elsewhere = torch.tensor([[-999.0, 0, 0, 0, 2]]).double().expand(100, 5)
    draws = fitted(torch.cat([torch.cat([DATA, others], 1), elsewhere])).sample((600,), seeded())
    there = draws[draws[:, 0] < -500]
    assert 50 < len(there) < 150
    # The column of two values has cells 5 wide.
    assert float((there[:, 4] - 2).abs().median()) < 2
    assert float((there[:, 0] + 999).abs().median()) < 50


@pytest.mark.parametrize(
    "more",
    [
        lambda x: x[:, :1],
        lambda x: 100 * x[:, :1] + 3,
        lambda x: x.sum(1, keepdim=True),
        lambda x: torch.cat([x[:, :2], x[:, :1] - x[:, 1:2]], 1),
    ],
    ids=["copy", "scaled copy", "sum", "three"],
)
def test_dependent_columns_are_kept_together(more, clean):
    base = fitted(torch.cat([DATA, more(DATA)], 1))
    on = torch.cat([TEST, more(TEST)], 1)
    off = on.clone()
    off[:, -1] += 0.3 * on[:, -1].std()
    assert float(base(off).max()) < float(base(on).quantile(0.01)) - 1000
    draws = base.sample((500,), seeded())
    gap = more(draws[:, :4]) - draws[:, 4:]
    assert float(gap.std()) < 0.02 * float(on[:, -1].std())
    # One dimension more costs or brings a constant alone.
    assert float((base(on) - clean(TEST)).std()) < 0.6


def test_a_constant_column_changes_nothing(clean_score):
    sevens = torch.full((500, 1), 7.0).double()
    base = fitted(torch.cat([DATA, sevens], 1))
    test = torch.cat([TEST, torch.full((2000, 1), 7.0).double()], 1)
    assert float(base(test).mean()) == pytest.approx(clean_score, abs=0.1)
    assert float(base(test + torch.tensor([0, 0, 0, 0, 1.0])).max()) < -1000
    assert bool((base.sample((50,), seeded())[:, 4] == 7).all())


def test_nothing_but_constants():
    base = fitted(torch.ones(20, 3).double())
    assert base(torch.ones(2, 3).double()).isfinite().all()
    assert bool(((base.sample((9,), seeded()) - 1).abs() < 0.01).all())


def test_six_decades():
    x = (3 * randn(1000, 2)).exp()
    base, test = fitted(x), (3 * randn(2000, 2, seed=5)).exp()
    exact = -0.5 * (test.log() / 3).square().sum(1) - LOG_2_PI - 2 * math.log(3)
    exact -= test.log().sum(1)
    assert float((exact - base(test)).mean()) < 0.25
    draws = base.sample((4000,), seeded())
    ratio = draws.quantile(0.75, dim=0) / test.quantile(0.75, dim=0)
    assert bool(((ratio > 0.6) & (ratio < 1.7)).all())


def test_zero_inflated_counts():
    counts = torch.poisson(3 * torch.rand(1000, 3, generator=seeded()), generator=seeded(1))
    counts = (counts * (torch.rand(1000, 3, generator=seeded(2)) < 0.5)).double()
    base = fitted(counts)
    # At the centre of their cells, of width 1: a density close to the probabilities.
    frequencies = (counts[:, None] == counts).all(2).double().mean(1).log()
    assert float(base(counts).mean()) == pytest.approx(float(frequencies.mean()), abs=1.0)
    draws = base.sample((4000,), seeded()).round()
    torch.testing.assert_close(draws.mean(0), counts.mean(0), rtol=0, atol=0.15)


def test_half_zeros():
    values = torch.rand(500, 1, generator=seeded()).double().mul(5)
    values[::2] = 0
    base = fitted(torch.cat([DATA, values], 1))
    zeros = torch.cat([TEST, torch.zeros(2000, 1).double()], 1)
    assert float((base(zeros) - base(zeros + torch.tensor([0, 0, 0, 0, 2.5]))).mean()) > 2


@pytest.mark.parametrize(("n", "d"), [(1, 3), (2, 3), (5, 4), (9, 2), (30, 100), (400, 300)])
def test_few_rows_and_many_columns(n, d):
    base, test = fitted(randn(n, d)), randn(200, d, seed=5)
    assert base(test).isfinite().all()
    assert base.sample((20,), seeded()).isfinite().all()
    assert base(test + 20).mean() < base(test).mean()
    if n >= 30:  # nearly as likely as under the law itself
        assert float(base(test).mean()) > -0.5 * d * (LOG_2_PI + 1) * 1.25


def test_rounded_numbers(clean_score):
    base = fitted(DATA.half().double())
    assert float(base(TEST).mean()) == pytest.approx(clean_score, abs=0.15)


def test_a_wide_table_has_a_density_without_a_matrix_of_its_columns():
    generator = seeded()
    x = torch.randn(150, 3, generator=generator) @ torch.randn(3, 400, generator=generator)
    x = x + 0.3 * torch.randn(150, 400, generator=generator)
    base = MixtureBase.fit(x[:120], generator)
    assert base.frame.axes.shape[1] < 128
    gaussian = base(torch.randn(30, 400, generator=generator)).mean()
    assert base(x[120:]).mean() > gaussian + 100
    assert base.sample((2, 5), generator).shape == (2, 5, 400)
