"""Evidence: known classes as a log-likelihood."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator

from gedi.data.dataset import Dataset
from gedi.evidence import Labels
from gedi.training.custom import Custom
from gedi.training.session import start
from small_trainings import SMALL, heaps

X = torch.arange(12.0).reshape(6, 2)
CLASSES = torch.tensor([0, 1, 2, 0, 1, 2])


def seeded(seed=0):
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("members", [(), (3,)])
def test_all_points_if_there_are_few_else_some(members):
    everything = Labels(X, CLASSES, 10).draw(members, seeded())
    assert everything.x.shape == (*members, 6, 2)
    torch.testing.assert_close(everything.x, X.expand(*members, 6, 2))
    some = Labels(X, CLASSES, 4).draw(members, seeded())
    assert some.x.shape == (*members, 4, 2)
    assert not torch.equal(some.x, Labels(X, CLASSES, 4).draw(members, seeded(1)).x)


def test_log_likelihood_is_that_of_the_classes_drawn():
    observed = Labels(X, CLASSES, 4).draw((2,), seeded())
    # Logits that are sure of the right class, which a point's first coordinate tells.
    right = (observed.x[..., 0] / 2).long() % 3
    sure = 50.0 * torch.nn.functional.one_hot(right, 3)
    torch.testing.assert_close(observed.log_likelihood(sure), torch.zeros(2))
    torch.testing.assert_close(
        observed.log_likelihood(torch.zeros(2, 4, 3)), torch.full((2,), -math.log(3))
    )


@pytest.mark.parametrize("restarts", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_a_few_labels_name_the_clusters(restarts):
    x, labels = heaps()
    for swap in (False, True):  # whatever the names are, not by luck
        classes = np.full(len(x), -1)
        classes[:4] = labels[:4] ^ swap
        settings = replace(
            SMALL, max_iter=150, restarts=replace(SMALL.restarts, n=restarts, iterations=60)
        )
        fit = start(Dataset("heaps", x), settings, custom=Custom(classes=classes)).run()
        found = fit.trained.predict(x).clusters
        assert np.mean(found == (labels ^ swap)) > 0.98
        assert fit.history[-1]["evidence"] > -0.1
