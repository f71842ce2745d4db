import time
from dataclasses import replace

import pytest
import torch

from gedi.data.dataset import Dataset
from gedi.errors import SettingsError
from gedi.settings import EncoderSettings, RestartSettings, SamplerSettings, ViewSettings
from gedi.training.profile import profile
from gedi.training.session import start
from gedi.views import GaussianNoise
from small_trainings import SMALL, heaps


def session(**changes):
    return start(Dataset("heaps", heaps()[0]), replace(SMALL, **changes))


def test_the_parts_add_up_and_stand_beside_their_floors():
    found = profile(session(), cycles=3)
    parts = dict(found.parts)
    whole = parts.pop("iteration")
    assert {"chains", "jumps", "terms and gradient", "Adam and averaging", "data"} < set(parts)
    assert {"noisy views", "adversarial views", "neighbours", "overhead"} < set(parts)
    assert len(whole.seconds) == len(whole.floor) == 3
    for k in range(3):
        assert whole.seconds[k] == pytest.approx(sum(p.seconds[k] for p in parts.values()))
    assert all(ratio > 1 for ratio in parts["chains"].ratios)
    assert parts["data"].floor == [] and parts["data"].ratios == []


def test_arithmetic_and_bytes_are_those_of_the_shapes():
    found = profile(session(), cycles=1)
    n, layers = 64, 2 * 16 + 16 * 2
    # x, its view and the chains; each product has two of its size in the gradient, but for the
    # input of the first layer.
    rows = 3 * n
    assert found.parts["terms and gradient"].flops == 2 * rows * (3 * layers - 2 * 16)
    assert found.sizes["network"].bytes == 4 * (2 * 16 + 16 + 16 * 2 + 2)
    assert found.sizes["Adam"].bytes >= 2 * found.sizes["network"].bytes
    assert found.sizes["data"].bytes == 200 * 2 * 4 and found.sizes["data"].samples == 200
    assert found.sizes["buffer"].bytes == n * 2 * 4
    assert found.sizes["activations"].bytes >= 4 * rows * (16 + 16)


def test_chains_have_the_floor_of_their_evaluations():
    few, many = (
        profile(
            session(sampler=SamplerSettings(kind="langevin", n_steps=k, n_anchors=64)), cycles=9
        ).parts["chains"]
        for k in (2, 20)
    )
    # One evaluation at the start, and one for each step.
    assert min(many.floor) > min(few.floor)
    assert many.flops / few.flops == pytest.approx(7, rel=0.1)


def test_time_is_counted_where_it_passes(monkeypatch):
    view = GaussianNoise.__call__

    def slow(self, *args, **kwargs):
        time.sleep(0.05)
        return view(self, *args, **kwargs)

    monkeypatch.setattr(GaussianNoise, "__call__", slow)
    parts = profile(session(), cycles=2).parts
    assert min(parts["noisy views"].seconds) > 0.05
    assert max(parts["iteration"].seconds) - max(parts["noisy views"].seconds) < 0.05


def test_restarts_side_by_side_take_so_many_times_the_arithmetic():
    restarts = RestartSettings(n=3, kmeans=0)
    one = profile(session(restarts=restarts), cycles=1)
    group = profile(session(restarts=restarts), cycles=1, restarts=True)
    assert (one.members, group.members) == (1, 3)
    name = "terms and gradient"
    assert group.parts[name].flops == 3 * one.parts[name].flops
    assert group.sizes["network"].bytes == 3 * one.sizes["network"].bytes


def test_a_cycle_spreads_the_chains_over_its_iterations():
    every = SamplerSettings("langevin", n_anchors=64, every=4)
    one, four = (profile(session(sampler=s), cycles=2) for s in (SMALL.sampler, every))
    assert four.cycle == 4
    assert four.parts["chains"].flops == pytest.approx(one.parts["chains"].flops / 4)


@pytest.mark.parametrize("changes", [{"method": "swav"}, {"precision": "bf16-mixed"}], ids=str)
def test_other_trainings_have_parts_too(changes):
    views = ViewSettings(adversarial=0.0, neighbours=0) if "method" in changes else ViewSettings()
    parts = profile(session(views=views, **changes), cycles=1).parts
    assert parts["terms and gradient"].flops > 0
    assert ("chains" in parts) == ("method" not in changes)


def test_vera_is_profiled():
    sampler = SamplerSettings(kind="vera", n_anchors=64)
    assert profile(session(sampler=sampler), cycles=1).parts["chains"].floor


def test_convolutions_are_counted():
    x = heaps(64, 64)[0]
    data = Dataset("images", x, image_shape=(1, 8, 8), value_range=(float(x.min()), float(x.max())))
    settings = replace(
        SMALL, encoder=EncoderSettings(kind="conv"), sampler=SamplerSettings(n_steps=1, every=1)
    )
    found = profile(start(data, settings), cycles=1)
    forward = 2 * (4 * 4 * 32 * 25 + 4 * 32 * 64 * 9 + 4 * 64 * 64 * 9 + 256 * 256 + 256 * 2)
    # Chains: forwards and backwards by the input, twice; and the base's products.
    assert found.parts["chains"].flops > 2 * 2 * 64 * forward
    assert found.parts["image views"].seconds


def test_what_cannot_be_profiled_is_refused():
    with pytest.raises(SettingsError, match="expected at least 1, got 0"):
        profile(session(), cycles=0)
    with pytest.raises(SettingsError, match=r"expected restarts\.n above 1"):
        profile(session(), restarts=True)


def test_threads_are_told():
    assert profile(session(), cycles=1).threads == torch.get_num_threads()


def test_draws_of_the_base_are_called_so_and_contrasted_without_it():
    base = SamplerSettings(kind="base")
    parts = profile(session(sampler=base, restarts=RestartSettings(n=1)), cycles=1).parts
    assert "draws of the base" in parts and not {"chains", "jumps"} & parts.keys()
    # The mixture, which the contrast leaves out, would be in it.
    assert 0 < parts["terms and gradient"].flops < 1e8
