"""The positions of chains from noise to samples."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gedi.data.dataset import Dataset
from gedi.evaluation.trajectories import positions_from_noise, trajectories_from_noise
from gedi.model.smoothing import Smoothing
from gedi.settings import EncoderSettings
from gedi.training.session import start
from small_trainings import SMALL, heaps


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def trained():
    settings = replace(SMALL, max_iter=5, encoder=EncoderSettings(hidden=[16], base=True))
    return start(Dataset("heaps", heaps()[0]), settings).run().trained


def test_positions_are_those_of_one_walk(trained):
    way = trajectories_from_noise(trained, 5, (0, 1, 3), seeded())
    assert way.shape == (5, 4, 2)
    generator = seeded()
    z = trained.box.clamp(trained.model.base.sample((5,), generator))
    for place, more in enumerate((0, 1, 2)):
        z = trained.run_chains(trained.model.energy, z, more, generator)
        np.testing.assert_array_equal(way[:, place], trained.scaling.inverse(z))
    assert not np.array_equal(way[:, 0], way[:, 2])


def test_only_the_last_position_is_without_noise(trained):
    clean, noisy = (
        trajectories_from_noise(replace(trained, smoothing=Smoothing(s)), 5, (0, 2), seeded())
        for s in (0.0, 0.3)
    )
    np.testing.assert_array_equal(clean[:, 1], clean[:, 2])
    np.testing.assert_array_equal(noisy[:, :2], clean[:, :2])
    z = trained.scaling(noisy[:, 1].astype(np.float32))
    expected = replace(trained, smoothing=Smoothing(0.3)).denoise(z)
    np.testing.assert_allclose(noisy[:, 2], trained.scaling.inverse(expected), rtol=1e-4)


def test_without_a_base_chains_start_anywhere_in_the_box():
    settings = replace(SMALL, max_iter=2, encoder=EncoderSettings(hidden=[16], base=False))
    trained = start(Dataset("heaps", heaps()[0]), settings).run().trained
    starts = trained.scaling(trajectories_from_noise(trained, 2000, (0,), seeded())[:, 0])
    low, high = trained.box
    torch.testing.assert_close(starts.mean(0), (low + high) / 2, atol=0.1, rtol=0)
    torch.testing.assert_close(starts.amin(0), low, atol=0.05, rtol=0)
    torch.testing.assert_close(starts.amax(0), high, atol=0.05, rtol=0)


def test_chains_of_one_cluster_end_there(trained):
    def share_of_the_first(clusters):
        *_, end = positions_from_noise(trained, 400, (0, 60), seeded(), clusters=clusters)
        return (trained.predict(end).clusters == 0).mean()

    # Of a training of five iterations, whose clusters hardly differ.
    assert share_of_the_first([1]) < share_of_the_first([]) < share_of_the_first([0])
    assert share_of_the_first([0, 1]) == share_of_the_first([])
