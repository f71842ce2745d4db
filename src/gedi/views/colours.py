"""Random changes of colour, for images of red, green and blue in [0, 1]."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

__all__ = ["Jitter", "greyed"]

_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


@dataclass(frozen=True)
class Jitter:
    """Random changes of brightness, contrast, saturation and hue, in this order, as in SimCLR.

    Args:
        strength: the strength s. Brightness, contrast and saturation change by up to a share of
            0.8 s, and the hue by up to 0.2 s of the colour circle.
        probability: the probability that an image is changed.
    """

    strength: float
    probability: float

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """(n, 3, H, W) -> (n, 3, H, W)."""
        from kornia.enhance import adjust_hue  # noqa: PLC0415 - slow to import

        unit = torch.rand(5, len(images), 1, 1, 1, dtype=images.dtype, device=images.device,
                          generator=generator)  # fmt: skip
        brightness, contrast, saturation = 1 + 0.8 * self.strength * (2 * unit[:3] - 1)
        changed = (brightness * images).clamp(0, 1)
        mean = _grey(changed).mean((-2, -1), keepdim=True)
        changed = mean.lerp(changed, contrast).clamp(0, 1)
        changed = _grey(changed).lerp(changed, saturation).clamp(0, 1)
        turn = 0.2 * self.strength * (2 * unit[3].flatten() - 1)
        changed = adjust_hue(changed, 2 * torch.pi * turn)
        return torch.where(unit[4] < self.probability, changed, images)


def greyed(images: Tensor, generator: Generator, probability: float) -> Tensor:
    """Convert each of the images (n, 3, H, W) to grey with a probability."""
    chance = torch.rand(len(images), device=images.device, generator=generator)
    grey = _grey(images).expand_as(images)
    return torch.where((chance < probability)[:, None, None, None], grey, images)


def _grey(images: Tensor) -> Tensor:
    """The luminance, (n, 3, H, W) -> (n, 1, H, W)."""
    red, green, blue = (images[:, k : k + 1] for k in range(3))
    return _LUMINANCE[0] * red + _LUMINANCE[1] * green + _LUMINANCE[2] * blue
