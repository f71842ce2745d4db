"""Adam is that of torch, step by step."""

import pytest
import torch

from gedi.adam import Adam


@pytest.mark.parametrize("options", [{}, {"fused": True}, {"betas": (0.0, 0.9)}])
def test_steps_and_states_are_those_of_torch(options):
    start = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    own = Adam([ours], lr=0.1, **options)
    reference = torch.optim.Adam([theirs], lr=0.1, **options)
    for step in range(6):
        for weight, optimizer in ((ours, own), (theirs, reference)):
            optimizer.zero_grad()
            (weight**4).sum().backward()
            optimizer.step()
        assert torch.equal(ours, theirs) and not torch.equal(ours, start)
        if step == 2:  # as after a resumption
            saved = own.state_dict()
            own = Adam([ours], lr=0.1, **options)
            own.load_state_dict(saved)
    own.zero_grad()
    assert ours.grad is None
