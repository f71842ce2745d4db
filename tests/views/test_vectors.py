"""Views: shapes, randomness, and the properties of each."""

import math

import pytest
import torch

from gedi.model.scaling import Scaling
from gedi.objective import invariance
from gedi.views import (
    FeatureDropout,
    GaussianNoise,
    LocalScale,
    Neighbour,
    Own,
    Positives,
    Split,
    VirtualAdversarial,
)

D = 16  # a 4 x 4 image
IMAGE = (1, 4, 4)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


REFERENCE = torch.randn(60, D, generator=seeded(7))
WEIGHT = torch.randn(D, 3, generator=seeded(8))


def posterior(x):
    return (x @ WEIGHT).softmax(-1)


def unused(x):
    raise AssertionError("this view has no use for the posterior")


VIEWS = {
    "noise": GaussianNoise(0.5, LocalScale(REFERENCE)),
    "dropout": FeatureDropout(0.5, REFERENCE),
    "own": Own(lambda x: x + torch.randn_like(x), Scaling.from_range(0, 9, D), IMAGE),
    "adversarial": VirtualAdversarial(0.3, LocalScale(REFERENCE)),
    "neighbour": Neighbour(REFERENCE, 5),
    "split": Split([Neighbour(REFERENCE, 5), FeatureDropout(0.5, REFERENCE)]),
}
each_view = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)


@each_view
@pytest.mark.parametrize("members", [(), (2,), (2, 3)])
def test_shape_is_kept(view, members):
    x = torch.randn(*members, 7, D, generator=seeded())
    before = x.clone()
    seen = view(x, posterior=posterior, generator=seeded(1))
    assert seen.shape == x.shape and seen.dtype == x.dtype
    assert seen.isfinite().all() and not seen.requires_grad
    assert torch.equal(x, before)


@each_view
def test_the_generator_determines_everything(view):
    x = torch.randn(40, D, generator=seeded())
    torch.manual_seed(1)
    first = view(x, posterior=posterior, generator=seeded(1))
    torch.manual_seed(2)
    again = view(x, posterior=posterior, generator=seeded(1))
    other = view(x, posterior=posterior, generator=seeded(2))
    assert torch.equal(first, again) and not torch.equal(first, other)


@each_view
def test_the_global_random_state_is_unchanged(view):
    state = torch.random.get_rng_state()
    view(REFERENCE, posterior=posterior, generator=seeded())
    assert torch.equal(torch.random.get_rng_state(), state)


@each_view
def test_the_generator_advances(view):
    generator = seeded()
    first = view(REFERENCE, posterior=posterior, generator=generator)
    assert not torch.equal(first, view(REFERENCE, posterior=posterior, generator=generator))


def test_local_scale_is_the_distance_to_the_kth_neighbour_of_the_nearest():
    line = torch.tensor([[0.0], [1.0], [3.0], [10.0]])
    local = LocalScale(line, k=2)
    assert local(torch.tensor([[0.1], [1.2], [2.6], [100.0]])).tolist() == pytest.approx(
        [3, 2, 3, 9]
    )
    assert LocalScale(line, k=50)(line).tolist() == pytest.approx([10, 9, 7, 10])
    assert local(line.expand(2, 3, 4, 1)).shape == (2, 3, 4)


def test_gaussian_noise_has_the_length_of_its_setting():
    local = LocalScale(REFERENCE)
    x = REFERENCE[:1].expand(4000, D)
    noise = GaussianNoise(0.5, local)(x, posterior=unused, generator=seeded()) - x
    length = float(noise.square().sum(-1).mean().sqrt())
    assert length == pytest.approx(0.5 * float(local(REFERENCE[:1])), rel=0.02)
    assert torch.allclose(noise.mean(0), torch.zeros(D), atol=5 * length / math.sqrt(4000 * D))


@pytest.mark.parametrize("scale", [0.1, 0.5])
def test_adversarial_view_has_the_length_of_its_setting(scale):
    local = LocalScale(REFERENCE)
    x = torch.randn(30, D, generator=seeded())
    seen = VirtualAdversarial(scale, local)(x, posterior=posterior, generator=seeded(1))
    assert torch.allclose((seen - x).norm(dim=-1), scale * local(x), rtol=1e-3)


def test_adversarial_view_changes_the_prediction_more_than_noise_of_its_length():
    x = torch.randn(200, D, generator=seeded())
    seen = VirtualAdversarial(0.2, LocalScale(REFERENCE))(
        x, posterior=posterior, generator=seeded(1)
    )
    length = (seen - x).norm(dim=-1, keepdim=True)
    noise = torch.randn(x.shape, generator=seeded(2))
    noisy = x + length * noise / noise.norm(dim=-1, keepdim=True)

    def divergence(other):
        p = posterior(x)
        return (p * (p.log() - posterior(other).log())).sum(-1)

    assert divergence(seen).mean() > 3 * divergence(noisy).mean()
    assert float((divergence(seen) > divergence(noisy)).float().mean()) > 0.9
    logits, at = x @ WEIGHT, x
    assert -invariance(seen @ WEIGHT, logits) > -invariance(noisy @ WEIGHT, at @ WEIGHT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_adversarial_view_of_certain_predictions_stays_finite(dtype):
    x = torch.randn(30, D, generator=seeded(), dtype=dtype)

    def sure(at):
        return (1e4 * at @ WEIGHT.to(dtype)).softmax(-1)

    view = VirtualAdversarial(0.2, LocalScale(REFERENCE.to(dtype)))
    seen = view(x, posterior=sure, generator=seeded(1))
    assert seen.isfinite().all()
    assert ((seen - x).norm(dim=-1) <= 0.2 * view.local(x) * 1.001).all()


def test_adversarial_view_leaves_parameters_without_gradients():
    network = torch.nn.Linear(D, 3)
    view = VirtualAdversarial(0.2, LocalScale(REFERENCE))
    with torch.no_grad():
        view(REFERENCE, posterior=lambda x: network(x).softmax(-1), generator=seeded())
    assert network.weight.grad is None


def test_neighbour_is_one_of_the_nearest_and_never_the_point_itself():
    k = 4
    nearest = torch.cdist(REFERENCE, REFERENCE).topk(k + 1, largest=False).indices[:, 1:]
    picked = [set() for _ in REFERENCE]
    for seed in range(60):
        seen = Neighbour(REFERENCE, k)(REFERENCE, posterior=unused, generator=seeded(seed))
        for place, index in enumerate(torch.cdist(seen, REFERENCE).argmin(-1).tolist()):
            assert torch.equal(seen[place], REFERENCE[index])
            picked[place].add(index)
    assert picked == [set(row) for row in nearest.tolist()]


class Plus:
    def __init__(self, shift):
        self.shift = shift

    def __call__(self, x, *, posterior, generator, index):
        return x + self.shift


def test_split_gives_equal_shares():
    x = torch.zeros(2, 10, 3)
    seen = Split([Plus(1), Plus(2), Plus(3)])(x, posterior=unused, generator=seeded())
    assert seen[..., 0].tolist() == [[1] * 4 + [2] * 3 + [3] * 3] * 2


def test_dropped_features_take_values_of_other_points():
    x = torch.full((400, D), 100.0)
    seen = FeatureDropout(0.25, REFERENCE)(x, posterior=unused, generator=seeded())
    dropped = seen != 100
    assert float(dropped.float().mean()) == pytest.approx(0.25, abs=0.02)
    for feature in range(D):
        values = seen[dropped[:, feature], feature]
        assert torch.isin(values, REFERENCE[:, feature]).all()
        assert len(values.unique()) > 20


def test_positives_are_the_pairs_of_the_user_in_both_directions():
    data = torch.arange(5.0)[:, None].expand(5, 3)
    view = Positives(data, torch.tensor([[0, 3], [3, 1], [2, 2]]))
    index = torch.arange(5).repeat(200)
    seen = view(data[index], posterior=unused, generator=seeded(), index=index)
    partners = {i: set(seen[index == i, 0].tolist()) for i in range(5)}
    assert partners == {0: {3}, 1: {3}, 2: {2}, 3: {0, 1}, 4: {4}}
    share = (seen[index == 3, 0] == 0).float().mean()
    assert float(share) == pytest.approx(0.5, abs=0.12)


def test_positives_are_known_for_the_data_only():
    view = Positives(REFERENCE, torch.tensor([[0, 1]]))
    with pytest.raises(ValueError, match="expected the indices of the points"):
        view(REFERENCE, posterior=unused, generator=seeded())


def test_own_views_see_points_in_the_users_units_and_shape():
    scaling = Scaling.from_range(0, 255, D)
    seen_by_user = []

    def mirror(images):
        seen_by_user.append(images)
        return images.flip(-1)

    x = scaling(torch.arange(2.0 * D).reshape(2, D).numpy())
    seen = Own(mirror, scaling, IMAGE)(x, posterior=unused, generator=seeded())
    torch.testing.assert_close(seen_by_user[0], torch.arange(2.0 * D).reshape(2, *IMAGE))
    torch.testing.assert_close(seen, x.reshape(2, *IMAGE).flip(-1).reshape(2, D))


def test_own_views_keep_the_shape():
    view = Own(lambda x: x[:, :1], Scaling.from_range(0, 1, D), (D,))
    with pytest.raises(ValueError, match=r"expected a batch of shape \(3, 16\).*got \(3, 1\)"):
        view(torch.zeros(3, D), posterior=unused, generator=seeded())
