"""The consensus of restarts: clusters that most of several networks find."""

import copy
import math

import numpy as np
import pytest
import torch
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score, jaccard_score
from test_many_features import directions

from gedi.data.dataset import Dataset
from gedi.model.encoders import MemberLinear
from gedi.settings import RestartSettings, Settings
from gedi.training.consensus import average_head, grouped, n_compared, overlaps
from gedi.training.restarts import Candidate, choice_in_words
from gedi.training.session import start

C, N = 4, 400
Y = np.random.default_rng(0).integers(C, size=N)


def posteriors(*codes):
    """Certain posteriors of several networks, (m, n, c)."""
    return torch.nn.functional.one_hot(torch.from_numpy(np.stack(codes)), C).float()


def test_overlaps_of_certain_clusters_are_jaccard_indices():
    other = np.random.default_rng(1).permutation(Y)
    found = overlaps([posteriors(Y, other)])
    expected = [
        [jaccard_score(a == i, b == j) for b in (Y, other) for j in range(C)]
        for a in (Y, other)
        for i in range(C)
    ]
    assert np.allclose(found, expected, atol=1e-6)


def test_overlaps_do_not_depend_on_how_points_are_split():
    p = torch.rand(3, N, C, generator=torch.Generator().manual_seed(0)).softmax(-1)
    assert torch.allclose(overlaps([p]), overlaps(p.split(90, dim=1)), atol=1e-5)


def test_an_empty_cluster_overlaps_with_none():
    found = overlaps([posteriors(np.zeros(N, np.int64))])
    assert found[0, 0] == 1 and found.sum() == 1


def test_the_majority_outvotes_merged_and_split_clusters():
    rng = np.random.default_rng(2)
    codes = [rng.permutation(C)[Y] for _ in range(6)]  # the same clusters by other numbers
    wrong = np.where(Y == 1, 0, Y)  # 0 and 1 are one cluster, and 3 is two
    codes.append(np.where((Y == 3) & (rng.random(N) < 0.5), 1, wrong))
    groups = grouped(overlaps([posteriors(*codes)]), C, 0)
    assert groups.shape == (7, C)
    votes = np.stack([groups[k][each] for k, each in enumerate(codes[:6])])
    assert (votes == votes[0]).all()
    assert adjusted_rand_score(Y, votes[0]) == 1
    assert set(groups[6]) != set(range(C))  # of the seventh, two clusters are in one group


def test_fewer_groups_than_clusters_are_no_consensus(monkeypatch):
    monkeypatch.setattr(SpectralClustering, "fit_predict", lambda search, x: np.zeros(len(x), int))
    assert grouped(torch.ones(4 * C, 4 * C), C, 0) is None


def head(members=()):
    return MemberLinear(3, C, members=members, generator=torch.Generator().manual_seed(0))


def test_the_average_of_equal_heads_has_their_posterior():
    alone, several, into = head(), head((5,)), head()
    rng = np.random.default_rng(3)
    orders = np.stack([rng.permutation(C) for _ in range(5)])
    with torch.no_grad():
        for k, order in enumerate(orders):
            # Numbers of clusters, and what all logits share, do not matter.
            several.weight[k] = alone.weight[:, order] + 0.3 * k
            several.bias[k] = alone.bias[:, order] - 0.2 * k
    average_head(several, [0, 2, 3, 4], orders[[0, 2, 3, 4]], into)
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(into(x).softmax(-1), alone(x).softmax(-1), atol=1e-5)


@pytest.fixture(scope="module")
def dataset():
    x, y = directions([120, 110, 100, 90])
    return Dataset("directions", x), y


def session(dataset, **changes):
    settings = Settings(n_clusters=C, max_iter=40, restarts=RestartSettings(n=8), **changes)
    return start(dataset, settings)


def settled(some):
    """The session after the choice among its restarts."""
    some._prepare()
    some.advance(until=20)
    some._choose()
    return some


def test_a_training_goes_on_from_the_consensus(dataset):
    some = session(dataset[0])
    assert "8 networks, one of them from the best partition of a pool, until iteration 20" in str(
        some.plan
    )
    assert "then one that starts from their consensus" in str(some.plan)
    assert some.state.members == (8,)
    settled(some)
    assert some.state.members == () and some.state.iteration == 20
    assert not some.state.optimizer.state  # no moments of a single network
    shares = some.state.log_prior.exp()
    assert torch.isclose(shares.sum(), torch.tensor(1.0), atol=1e-5)
    found = some.run()
    assert adjusted_rand_score(dataset[1], found.trained.clusters(dataset[0].x)) == 1
    assert found.chosen is None and len(found.candidates) == 8
    assert found.agreement == 1
    assert choice_in_words(found.candidates, found.chosen) == (
        "The clusters come from the consensus of 8 restarts."
    )


def test_the_agreement_outlives_an_interruption(dataset):
    some, other = settled(session(dataset[0])), session(dataset[0])
    other.load_state_dict(copy.deepcopy(some.state_dict()))
    assert other.consensus == some.consensus and other.consensus.agreement == 1
    weights = [each.run().trained.model.head.weight for each in (some, other)]
    assert torch.equal(*weights)


@pytest.mark.parametrize(
    "changes", [{"prior": [0.25] * 4}, {"restarts": RestartSettings(n=3)}], ids=str
)
def test_the_best_goes_on_where_clusters_have_names_or_networks_are_few(dataset, changes):
    some = start(dataset[0], Settings(**({"n_clusters": C, "max_iter": 20} | changes)))
    assert "then the one with clusters that neighbours share most" in str(some.plan)
    found = some.run()
    assert found.chosen in range(len(found.candidates)) and found.agreement is None


def test_diverged_networks_take_no_part(dataset, monkeypatch):
    some = session(dataset[0])
    some.advance(until=20)
    lost = Candidate(0, math.nan, 0.0, modularity=0.9)
    measured = some._measure()
    monkeypatch.setattr(some, "_measure", lambda: [lost] * 5 + measured[5:])
    some._choose()
    assert some.consensus is None and some.chosen >= 5


def test_of_many_clusters_fewer_networks_are_compared():
    assert [n_compared(16, c) for c in (2, 128, 200, 500, 1000)] == [16, 16, 10, 4, 2]
