"""The replay buffer that stores chains."""

import pytest
import torch

from gedi.sampling import ReplayBuffer


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def zeros(shape, generator):
    return torch.zeros(*shape, 2)


def numbered(capacity, members=(), reinit=0.0, start=zeros):
    """A buffer whose chains stand at their own places."""
    buffer = ReplayBuffer(capacity, start, reinit=reinit, members=members, generator=seeded())
    buffer.positions.copy_(torch.arange(1.0, capacity + 1)[:, None].expand(*members, -1, 2))
    return buffer


@pytest.mark.parametrize("members", [(), (3,)])
def test_draw_takes_different_chains(members):
    buffer = numbered(20, members)
    index, x = buffer.draw(12, seeded())
    assert x.shape == (*members, 12, 2) and len(index.unique()) == 12
    assert torch.equal(x[..., 0], (index + 1.0).expand(*members, -1))
    assert not torch.equal(index, buffer.draw(12, seeded(1))[0])
    assert torch.equal(index, buffer.draw(12, seeded())[0])


def test_all_chains_can_be_drawn():
    index, _ = numbered(7).draw(7, seeded())
    assert index.sort().values.tolist() == list(range(7))


@pytest.mark.parametrize("members", [(), (3,)])
def test_put_returns_chains_to_their_places(members):
    buffer = numbered(10, members)
    index, x = buffer.draw(4, seeded())
    buffer.put(index, x + 100)
    expected = torch.arange(1.0, 11)
    expected[index] += 100
    assert torch.equal(buffer.positions[..., 0], expected.expand(*members, -1))


def test_draw_does_not_alias_the_buffer():
    buffer = numbered(5)
    _, x = buffer.draw(5, seeded())
    x += 100
    assert (buffer.positions < 50).all()


def test_a_share_of_the_chains_restarts():
    buffer = numbered(20_000, reinit=0.25)
    _, x = buffer.draw(20_000, seeded())
    anew = (x == 0).all(-1)
    assert torch.equal(anew, (x == 0).any(-1))
    # Standard error 0.003.
    assert float(anew.float().mean()) == pytest.approx(0.25, abs=0.0125)


def test_members_restart_independently():
    _, x = numbered(1000, (2,), reinit=0.5).draw(1000, seeded())
    anew = x[..., 0] == 0
    assert 300 < int((anew[0] != anew[1]).sum()) < 700


def test_reinit_of_one_and_of_zero():
    assert (numbered(50, reinit=1.0).draw(50, seeded())[1] == 0).all()
    assert (numbered(50, reinit=0.0).draw(50, seeded())[1] != 0).all()


def test_first_positions_come_from_the_start():
    def start(shape, generator):
        return torch.randn(*shape, 3, generator=generator)

    buffer = ReplayBuffer(5, start, members=(2,), generator=seeded())
    assert torch.equal(buffer.positions, start((2, 5), seeded()))
    assert buffer.capacity == 5


def test_state_dict_holds_the_chains():
    fresh = numbered(10, start=lambda shape, g: torch.ones(*shape, 2))
    fresh.positions.zero_()
    fresh.load_state_dict(numbered(10).state_dict())
    assert torch.equal(fresh.positions, numbered(10).positions)


def test_errors():
    with pytest.raises(ValueError, match="at most 5 chains, got 6"):
        numbered(5).draw(6, seeded())
    for capacity, reinit in [(0, 0.1), (5, -0.1), (5, 1.1)]:
        with pytest.raises(ValueError, match=f"got {capacity} and {reinit}"):
            ReplayBuffer(capacity, zeros, reinit=reinit, generator=seeded())
