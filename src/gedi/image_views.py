"""Views of images, as contrastive learning uses them, for a whole batch at once on its device.

Crop, mirror, colour, blur and noise: what SimCLR (Chen et al., ICML 2020) found to matter, in its
order. Each change is drawn anew for every image (kornia).
"""

from typing import Any, Literal

import torch
from torch import Generator, Tensor

from gedi.random_state import lent_random_state
from gedi.views import Posterior

__all__ = ["ImageViews", "preset"]


class ImageViews:
    """Cropped, mirrored, recoloured, blurred and noisy images; what is left at 0 is left out.

    Images are in [-1, 1], and so are their views. The steps of colour are for three channels
    (red, green, blue) and left out for all others.

    Args:
        image_shape: (C, H, W) of the images that the points are, flattened.
        crop: least share of the area that is kept, and then enlarged to the whole image; 1 leaves
            images whole.
        aspect: largest ratio of the sides of what is kept, either way; at least 1.
        flip: probability of mirroring left to right.
        jitter: s; brightness, contrast and saturation change by up to a share of 0.8 s, hue by up
            to 0.2 s of the circle (SimCLR's strength of colour).
        jitter_probability: of the change of colour.
        grey: probability of losing the colour.
        blur: largest standard deviation of the Gaussian blur, in pixels; the least is a tenth.
        blur_probability: of the blur.
        noise: standard deviation of the Gaussian noise on every pixel, on the scale of [-1, 1].

    Raises:
        ValueError: for a share or probability outside [0, 1], or another number out of range.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        crop: float = 1.0,
        aspect: float = 4 / 3,
        flip: float = 0.0,
        jitter: float = 0.0,
        jitter_probability: float = 0.8,
        grey: float = 0.0,
        blur: float = 0.0,
        blur_probability: float = 0.5,
        noise: float = 0.0,
    ) -> None:
        shares = {
            "crop": crop,
            "flip": flip,
            "jitter": jitter,
            "jitter_probability": jitter_probability,
            "grey": grey,
            "blur_probability": blur_probability,
        }
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name}: expected a number in [0, 1], got {share}")
        if crop == 0 or aspect < 1 or blur < 0 or noise < 0:
            raise ValueError(
                "expected crop > 0, aspect >= 1, blur >= 0 and noise >= 0, "
                f"got {crop}, {aspect}, {blur} and {noise}"
            )
        self.image_shape = image_shape
        self.noise = noise
        self.steps = [
            *_geometry(image_shape, crop, aspect, flip),
            *(_colour(jitter, jitter_probability, grey) if image_shape[0] == 3 else []),
            *_blur(blur, blur_probability),
        ]

    def __call__(
        self,
        x: Tensor,
        *,
        posterior: Posterior,
        generator: Generator,
        index: Tensor | None = None,
    ) -> Tensor:
        """(..., n, d) -> (..., n, d)."""
        # Colours are defined on [0, 1].
        images = (x.reshape(-1, *self.image_shape) + 1) / 2
        with lent_random_state(x, generator):
            for step in self.steps:
                images = step(images)
        seen = 2 * images.reshape(x.shape) - 1
        if self.noise:
            xi = torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)
            seen = seen + self.noise * xi
        return seen.clamp(-1, 1)


def preset(kind: Literal["digits", "natural"]) -> dict[str, float]:
    """Settings of `ImageViews` for a kind of images, to be passed on as keyword arguments.

    Args:
        kind: "digits" for written signs, whose mirror images are other signs; "natural" for
            photographs of about 32 pixels: SimCLR's settings for CIFAR-10 (Chen et al., ICML 2020,
            appendix B.9), which do without blur, but with crops of at least a fifth.

    Raises:
        ValueError: for any other kind.
    """
    presets: dict[str, dict[str, float]] = {
        "digits": {"crop": 0.6, "aspect": 1.2, "noise": 0.1},
        "natural": {"crop": 0.2, "flip": 0.5, "jitter": 0.5, "grey": 0.2},
    }
    if kind not in presets:
        raise ValueError(f"expected one of {', '.join(presets)}, got {kind!r}")
    return presets[kind]


def _geometry(
    image_shape: tuple[int, int, int], crop: float, aspect: float, flip: float
) -> list[Any]:
    from kornia.augmentation import (  # noqa: PLC0415 - slow to import
        RandomHorizontalFlip,
        RandomResizedCrop,
    )

    steps: list[Any] = []
    if crop < 1:
        steps.append(
            RandomResizedCrop(
                image_shape[1:],
                scale=(crop, 1.0),
                ratio=(1 / aspect, aspect),
                cropping_mode="resample",  # the whole batch at once; "slice" goes one by one
            )
        )
    if flip:
        steps.append(RandomHorizontalFlip(p=flip))
    return steps


def _colour(jitter: float, probability: float, grey: float) -> list[Any]:
    from kornia.augmentation import ColorJitter, RandomGrayscale  # noqa: PLC0415

    steps: list[Any] = []
    if jitter and probability:
        most = 0.8 * jitter
        steps.append(ColorJitter(most, most, most, 0.2 * jitter, p=probability))
    if grey:
        steps.append(RandomGrayscale(p=grey))
    return steps


def _blur(blur: float, probability: float) -> list[Any]:
    from kornia.augmentation import RandomGaussianBlur  # noqa: PLC0415

    if not blur or not probability:
        return []
    size = 2 * max(1, round(2 * blur)) + 1  # two standard deviations to either side
    return [RandomGaussianBlur((size, size), (blur / 10, blur), p=probability)]
