"""What a rule was compiled to, on whatever device its inputs are."""

import torch
from torch import Tensor

__all__ = ["Tables"]


class Tables:
    """Tensors that are copied to a device when they are first needed there.

    Args:
        tensors: on the CPU.
    """

    def __init__(self, *tensors: Tensor) -> None:
        self._on = {torch.device("cpu"): tensors}

    def on(self, device: torch.device) -> tuple[Tensor, ...]:
        """The tensors on that device."""
        if device not in self._on:
            here = self._on[torch.device("cpu")]
            # Kept for trainings, which take no tensors that were made in inference mode.
            with torch.inference_mode(False):
                self._on[device] = tuple(tensor.to(device) for tensor in here)
        return self._on[device]
