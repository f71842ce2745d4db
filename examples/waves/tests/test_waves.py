"""Runs with pytest once the package is installed."""

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from gedi import GEDI, load
from gedi_waves import SYMMETRIC, WaveNet, shifted, waves


def test_waves_are_of_three_forms_and_the_split_has_others():
    train, test = (waves(n_points=300, seed=0, split=split) for split in (None, "test"))
    assert train.x.shape == test.x.shape == (300, 32) and set(train.labels) == {0, 1, 2}
    assert not np.array_equal(train.x, test.x)
    assert np.array_equal(train.x, load("waves", n_points=300).x)


def test_the_encoder_does_not_see_the_phase():
    x = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    encoder = WaveNet((32,))
    torch.testing.assert_close(encoder(x), encoder(x.roll(9, -1)))
    with pytest.raises(ValueError, match="expected waves"):
        WaveNet((1, 8, 8))


def test_a_view_is_the_same_wave():
    x = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    view = shifted(x)
    assert not torch.equal(view, x)
    torch.testing.assert_close(torch.fft.rfft(view).abs(), torch.fft.rfft(x).abs())


@pytest.mark.filterwarnings("ignore")
def test_forms_are_found_with_the_method_by_name_or_as_an_object():
    data = waves(n_points=600, seed=0, split=None)
    found = [
        GEDI(3, encoder="wave", views=["shifted"], method=method, max_iter=150, random_state=0).fit(
            data.x
        )
        for method in ("symmetric", SYMMETRIC)
    ]
    assert adjusted_rand_score(data.labels, found[0].labels_) > 0.9
    assert np.array_equal(found[0].labels_, found[1].labels_)
