"""Scores against closed forms, measures against hand-made rankings, and foils of images."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_curve

from gedi.evaluation import out_of_distribution
from gedi.evaluation.out_of_distribution import (
    aupr,
    confidence_score,
    detection,
    fpr_at_95,
    gradient_score,
    image_foils,
    log_density_score,
)

SCORES = st.lists(st.integers(-3, 3), min_size=1, max_size=50)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Gaussian(torch.nn.Module):
    """E = |x|² / 2; two clusters, parted at x_0 = 0."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones((), dtype=torch.float64))
        self.seen = []

    def energy(self, x):
        self.seen.append(len(x))
        return (self.scale * x).square().sum(-1) / 2

    def posterior(self, x):
        self.seen.append(len(x))
        return (self.scale * torch.stack([x[:, 0], -x[:, 0]], -1)).softmax(-1)


def test_scores_of_a_gaussian():
    x = torch.randn(7, 3, dtype=torch.float64, generator=seeded())
    model = Gaussian()
    torch.testing.assert_close(log_density_score(model, x), -x.square().sum(-1) / 2)
    torch.testing.assert_close(confidence_score(model, x), torch.sigmoid(2 * x[:, 0].abs()))
    torch.testing.assert_close(gradient_score(model, x), -x.norm(dim=-1))


@pytest.mark.parametrize("score", [log_density_score, confidence_score, gradient_score])
def test_scores_come_in_parts_and_leave_no_graph(score, monkeypatch):
    x = torch.randn(1234, 2, dtype=torch.float64, generator=seeded())
    model = Gaussian()
    got = score(model, x)
    assert got.shape == (1234,) and got.dtype == torch.float64
    assert model.seen == [500, 500, 234]
    assert not got.requires_grad and not x.requires_grad and model.scale.grad is None
    monkeypatch.setattr(out_of_distribution, "_PART", 100)
    torch.testing.assert_close(score(model, x), got)


def test_a_perfect_score_and_its_reverse():
    low, high = torch.arange(10.0), torch.arange(10.0, 50.0)
    assert detection(high, low) == {"AUROC": 1.0, "AUPR": 1.0, "FPR95": 0.0}
    worst = detection(low, high)
    assert worst["AUROC"] == 0.0 and worst["FPR95"] == 1.0


def test_uninformative_scores():
    got = detection(torch.zeros(30), torch.zeros(10))
    assert got == {"AUROC": 0.5, "AUPR": 0.25, "FPR95": 1.0}


def test_average_precision_by_hand():
    # From the lowest score up: out, in, out, in. Precision 1 at the first, 2/3 at the second.
    got = aupr(torch.tensor([2.0, 4.0]), torch.tensor([1.0, 3.0]))
    assert got == pytest.approx((1 + 2 / 3) / 2)
    # Infinite scores are the ends of the ranking.
    infinite = aupr(torch.tensor([2.0, math.inf]), torch.tensor([-math.inf, 3.0]))
    assert infinite == pytest.approx((1 + 2 / 3) / 2)


def test_passing_by_hand():
    inside = torch.arange(100.0)  # 95 of them are at or above 5
    assert fpr_at_95(inside, torch.tensor([4.9, 5.0, 5.1, 200.0])) == 0.75
    # Of 19, every one must pass.
    assert fpr_at_95(torch.arange(19.0), torch.tensor([-0.1, 0.0])) == 0.5
    # A score ties with the same score in another type.
    assert fpr_at_95(torch.tensor([0.1]), torch.tensor([0.1]).double()) == 1.0


@given(inside=SCORES, outside=SCORES)
@settings(deadline=None)
def test_figures_are_those_of_scikit_learn(inside, outside):
    truth = np.r_[np.zeros(len(inside)), np.ones(len(outside))]
    scores = np.array(inside + outside, dtype=float)
    a, b = torch.tensor(inside), torch.tensor(outside)
    assert aupr(a, b) == pytest.approx(average_precision_score(truth, -scores))
    passed, accepted, _ = roc_curve(1 - truth, scores, drop_intermediate=False)
    assert fpr_at_95(a, b) == pytest.approx(passed[accepted >= 0.95 - 1e-12].min())


@pytest.mark.parametrize(
    ("inside", "outside", "message"),
    [
        (torch.zeros(0), torch.zeros(2), r"expected in_scores of shape \(n,\), got \(0,\)"),
        (torch.zeros(2), torch.zeros(2, 1), r"expected out_scores of shape \(n,\), got \(2, 1\)"),
        (
            torch.zeros(2),
            torch.tensor([math.nan, 1.0]),
            "numbers in out_scores, got NaN for 1 of them",
        ),
    ],
)
def test_figure_mistakes(inside, outside, message):
    for figure in (aupr, fpr_at_95):
        with pytest.raises(ValueError, match=message):
            figure(inside, outside)


def images(n=20, shape=(2, 3, 3), dtype=torch.float64):
    return torch.rand(n, math.prod(shape), dtype=dtype, generator=seeded(1)) * 4 - 1


def test_foils_of_images():
    x = images()
    made = image_foils(x, (2, 3, 3), seeded())
    assert set(made) == {
        "uniform noise",
        "shuffled",
        "inverted",
        "constant",
        "Gaussian noise",
        "rotated",
    }
    for name, foil in made.items():
        assert foil.shape == x.shape and foil.dtype == x.dtype, name
        assert float(foil.min()) >= float(x.min()) and float(foil.max()) <= float(x.max()), name
        torch.testing.assert_close(foil, image_foils(x, (2, 3, 3), seeded())[name])


def test_constant_images_have_one_colour_each():
    channels = image_foils(images(), (2, 3, 3), seeded())["constant"].reshape(20, 2, 9)
    torch.testing.assert_close(channels, channels[..., :1].expand_as(channels))
    assert len(channels[..., 0].unique()) == 40


def test_rotation_by_hand():
    x = torch.tensor([[0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0, 13.0]])
    expected = torch.tensor([[1.0, 3.0, 0.0, 2.0, 11.0, 13.0, 10.0, 12.0]])
    torch.testing.assert_close(image_foils(x, (2, 2, 2), seeded())["rotated"], expected)
    assert "rotated" not in image_foils(x, (2, 1, 4), seeded())


def test_gaussian_noise_looks_like_the_values():
    x = torch.randn(300, 64, generator=seeded(1)) * 0.1 + 5
    x[0, 0], x[0, 1] = -100, 100  # a range that cuts nothing off
    noise = image_foils(x, (1, 8, 8), seeded())["Gaussian noise"]
    assert float(noise.mean()) == pytest.approx(float(x.mean()), abs=0.05)
    assert float(noise.std()) == pytest.approx(float(x.std()), rel=0.03)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (images()[:, :5], r"expected images \(n, 18\) of shape \(2, 3, 3\), got \(20, 5\)"),
        (images()[:0], r"got \(0, 18\)"),
        (images().to(torch.uint8), "images of floating point, got torch.uint8"),
    ],
)
def test_foil_mistakes(x, message):
    with pytest.raises(ValueError, match=message):
        image_foils(x, (2, 3, 3), seeded())
