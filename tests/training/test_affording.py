"""Trainings that cannot fit are refused before they start."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from gedi.data.dataset import Dataset
from gedi.data.shards import load_stream
from gedi.errors import SettingsError
from gedi.evidence.groups import Groups
from gedi.free_memory import Free
from gedi.rules import sum_rule
from gedi.settings import EncoderSettings, WeightSettings
from gedi.training import affording
from gedi.training.affording import estimate, refuse_too_large
from gedi.training.custom import Custom
from gedi.training.memory import LIBRARIES
from gedi.training.plan import resolve
from gedi.training.session import Session
from small_trainings import SMALL, heaps

DATA = Dataset("heaps", heaps(300, 5)[0])


def with_room(n_bytes):
    return lambda device: Free(n_bytes, "this machine")


def needed(settings):
    """Bytes that a training takes beside the data and what the process has."""
    session = Session(DATA, settings)
    return estimate(session.settings, DATA, libraries=0).total - DATA.x.nbytes


def test_what_fits_is_taken_and_what_does_not_is_refused():
    enough = needed(SMALL)
    refuse_too_large(SMALL, DATA, free=with_room(enough))
    with pytest.raises(
        SettingsError,
        match=r"heaps: a training on 300 points of 5 features needs about 0\.\d\d GiB of memory "
        r"\(.*\), but this machine has 0\.\d\d GiB left: ",
    ):
        refuse_too_large(SMALL, DATA, free=with_room(enough - 1))


@pytest.mark.parametrize(
    ("changes", "lower"),
    [
        ({"batch_size": 10_000_000}, r"iteration \d{1,3}\.\d\d GiB.*: lower batch_size"),
        (
            {"encoder": EncoderSettings(hidden=[200_000, 100_000])},
            r"networks and chains 6\d\d\.\d\d GiB.*: lower encoder.hidden, restarts.n or",
        ),
    ],
)
def test_a_size_that_cannot_fit_is_refused_at_once(changes, lower):
    settings = replace(SMALL, **changes)
    if "batch_size" in changes:
        settings = replace(settings, sampler=replace(SMALL.sampler, buffer_size=10_000_000))
    with pytest.raises(SettingsError, match=lower):
        refuse_too_large(settings, DATA, free=with_room(2**30))


def test_wide_tables_are_refused_before_anything_is_read_off_them(monkeypatch):
    wide = Dataset("wide", np.zeros((2, 100_000), dtype=np.float32))

    def never(*arguments, **options):
        raise AssertionError

    monkeypatch.setattr("gedi.training.plan._noise", never)
    monkeypatch.setattr(affording.refuse_too_large, "__kwdefaults__", {"free": with_room(2**28)})
    settings = replace(SMALL, encoder=EncoderSettings(hidden=[16]))
    with pytest.raises(SettingsError, match=r"needs about 5.\d\d GiB.*take fewer features"):
        Session(wide, settings)


def test_nothing_is_refused_where_the_system_does_not_tell():
    refuse_too_large(replace(SMALL, max_iter=10**9), DATA, free=lambda device: None)


def test_encoders_of_the_user_count_by_their_parameters():
    small, large = (torch.nn.Sequential(torch.nn.Linear(5, n), torch.nn.SiLU()) for n in (4, 4000))
    settings = replace(SMALL, encoder=EncoderSettings())
    sizes = [
        estimate(Session(DATA, settings, custom=custom).settings, DATA, custom, libraries=0)
        for custom in (Custom(encoder=small), Custom(encoder=large))
    ]
    grown = sizes[1].held["networks and chains"] - sizes[0].held["networks and chains"]
    assert grown >= 5 * 4 * 6 * 3996


@pytest.mark.gpu
def test_what_does_not_fit_on_the_device_is_refused():
    settings = replace(SMALL, device="cuda", batch_size=2**24)
    settings = replace(settings, sampler=replace(SMALL.sampler, buffer_size=2**24))
    big = replace(settings, encoder=EncoderSettings(hidden=[4096, 4096]))
    with pytest.raises(SettingsError, match="the device cuda has"):
        Session(DATA, big)


def test_inputs_of_which_something_is_known_take_memory_too():
    # A batch so large that the terms take the most.
    settings = replace(
        SMALL,
        batch_size=100_000,
        weights=WeightSettings(gen=0.0),
        sampler=replace(SMALL.sampler, buffer_size=100_000),
        encoder=EncoderSettings(hidden=[512, 512]),
    )
    resolved = resolve(settings, DATA)
    rule = sum_rule(2, 2)
    groups = Groups(rule, torch.zeros(1, 2, dtype=torch.int64), rule.encode([0]))
    sizes = [
        estimate(resolved, DATA, custom, libraries=0).phases["iteration"]
        for custom in (
            Custom(),
            Custom(classes=np.zeros(300, dtype=np.int64)),
            Custom(groups=groups),
        )
    ]
    # A batch and its views are two parts.
    assert sizes[1] / sizes[0] == pytest.approx(2.25 / 2) and sizes[2] / sizes[0] == 2.5 / 2


def test_a_stream_is_counted_by_its_sample_and_its_buffer(tmp_path):
    frame = pd.DataFrame(heaps(300, 5)[0], columns=list("abcde"))
    frame.to_parquet(tmp_path / "t.parquet")
    data = load_stream(str(tmp_path), buffer_size=70)
    held = estimate(resolve(SMALL, data), data, libraries=0).held["data"]
    assert held == 300 * 5 * (8 + 4) + data.shards.held_bytes
    assert data.shards.held_bytes == 70 * (5 * 4 + 8) + data.shards.at_once * data.shards.open_bytes


def test_processes_of_one_machine_share_its_memory():
    half = replace(SMALL, batch_size=32)
    one = needed(half)
    alone = one + DATA.x.nbytes + LIBRARIES  # what another process takes
    refuse_too_large(SMALL, DATA, devices=2, free=with_room(one + alone))
    with pytest.raises(SettingsError, match=r", and its other processes 0\.\d\d GiB, but"):
        refuse_too_large(SMALL, DATA, devices=2, free=with_room(one + alone - 1))
    # Those of other machines do not.
    refuse_too_large(SMALL, DATA, nodes=2, free=with_room(one))
