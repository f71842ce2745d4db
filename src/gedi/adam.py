"""Adam, without the import of torch's compiler.

Torch wraps the methods of its optimizers so that its compiler passes them by. The wrappers import
the compiler at the first call, which takes longer than the training of a small table, and nothing
here is compiled. So this class calls what is wrapped.
"""

from inspect import unwrap

import torch
from torch.optim import Optimizer

__all__ = ["Adam"]


class Adam(torch.optim.Adam):
    """Adam; see `torch.optim.Adam` for its arguments."""

    add_param_group = unwrap(Optimizer.add_param_group)
    state_dict = unwrap(Optimizer.state_dict)
    load_state_dict = unwrap(Optimizer.load_state_dict)
    zero_grad = unwrap(Optimizer.zero_grad)
    step = torch.no_grad()(unwrap(torch.optim.Adam.step))
