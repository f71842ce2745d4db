"""Draws of the base as negatives."""

import torch
from torch import Generator

from gedi.model.box import Box
from gedi.sampling import BaseDraws, Cycle, Langevin, ReplayBuffer

BOX = Box(torch.full((2,), -4.0), torch.full((2,), 4.0))


def drawn(shape, generator):
    return torch.randn(*shape, 2, generator=generator)


def test_there_are_so_many_for_each_point_and_no_chain_moves():
    moves = Cycle([Langevin(0.1, 2, box=BOX, boundary="reflect")])
    buffer = ReplayBuffer(10, drawn, members=(3,), generator=Generator().manual_seed(0))
    before = buffer.positions.clone()
    stock = torch.arange(80.0).reshape(40, 2)
    source = BaseDraws(stock, moves, 5)
    got = source.sample(None, buffer, 7, generator=Generator().manual_seed(1))
    assert got.shape == (3, 35, 2)
    rows = got[..., 0] / 2
    assert torch.equal(got, stock[rows.long()]) and 20 < len(rows.unique()) <= 40
    assert torch.equal(buffer.positions, before)
    assert source.chain_moves() is moves
