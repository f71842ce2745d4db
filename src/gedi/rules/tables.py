"""The tensors of a compiled rule, on the device of its inputs."""

import torch
from torch import Tensor

__all__ = ["Tables"]


class Tables:
    """Tensors that are copied to a device when they are first needed there.

    Args:
        tensors: tensors on the CPU.
    """

    def __init__(self, *tensors: Tensor) -> None:
        self._on = {torch.device("cpu"): tensors}

    def on(self, device: torch.device) -> tuple[Tensor, ...]:
        """The tensors on a device."""
        if device not in self._on:
            here = self._on[torch.device("cpu")]
            # The copies are kept, and trainings cannot use tensors created in inference mode.
            with torch.inference_mode(False):
                self._on[device] = tuple(tensor.to(device) for tensor in here)
        return self._on[device]
