"""Code that draws from the global random state, seeded from a passed generator."""

import pytest
import torch

from gedi.random_state import lent_random_state


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(generator):
    with lent_random_state(torch.zeros(1), generator):
        return torch.rand(3)


def test_the_generator_determines_the_state_and_advances():
    torch.manual_seed(1)
    generator = seeded()
    first, second = draw(generator), draw(generator)
    torch.manual_seed(2)
    assert torch.equal(draw(seeded()), first)
    assert not torch.equal(first, second)


def test_the_global_state_is_restored_even_after_errors():
    state = torch.random.get_rng_state()
    draw(seeded())
    with (
        pytest.raises(RuntimeError, match="theirs"),
        lent_random_state(torch.zeros(1), seeded()),
    ):
        torch.rand(1)
        raise RuntimeError("theirs")
    assert torch.equal(torch.random.get_rng_state(), state)
