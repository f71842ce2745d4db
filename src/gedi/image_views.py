"""Views of images, as contrastive learning uses them, for a whole batch at once on its device.

Small affine changes, then crop, mirror, colour, blur and noise: what SimCLR (Chen et al., ICML
2020) found to matter, in its order. Each change is drawn anew for every image (kornia).
"""

from typing import Any

import torch
from torch import Generator, Tensor

from gedi.random_state import lent_random_state
from gedi.views import Posterior

__all__ = ["ImageViews"]


class ImageViews:
    """Moved, cropped, mirrored, recoloured, blurred and noisy images; a step left at 0 is left out.

    Images are in [-1, 1], and so are their views. The steps of colour are for three channels
    (red, green, blue) and left out for all others. Where a rotation or a shift uncovers something,
    pixels of the border are repeated.

    Args:
        image_shape: (C, H, W) of the images that the points are, flattened.
        rotate: largest rotation, in degrees.
        shift: largest shift, as a share of the image.
        zoom: largest change of width and, independently, of height, as a share.
        shear: largest shear, in degrees.
        crop: least share of the area that is kept, and then enlarged to the whole image; 1 leaves
            images whole.
        aspect: largest ratio of the sides of what is kept, either way; at least 1.
        flip: probability of mirroring left to right.
        jitter: s; brightness, contrast and saturation change by up to a share of 0.8 s, hue by up
            to 0.2 s of the circle (SimCLR's strength of colour).
        jitter_probability: of the change of colour.
        grey: probability of losing the colour.
        blur: largest standard deviation of the Gaussian blur, in pixels; the least a tenth of it.
        blur_probability: of the blur.
        pixel_noise: standard deviation of the Gaussian noise on every pixel, on the scale of
            [-1, 1].

    Raises:
        ValueError: for a share or probability outside [0, 1], or another number out of range.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        rotate: float = 0.0,
        shift: float = 0.0,
        zoom: float = 0.0,
        shear: float = 0.0,
        crop: float = 1.0,
        aspect: float = 4 / 3,
        flip: float = 0.0,
        jitter: float = 0.0,
        jitter_probability: float = 0.8,
        grey: float = 0.0,
        blur: float = 0.0,
        blur_probability: float = 0.5,
        pixel_noise: float = 0.0,
    ) -> None:
        shares = {
            "shift": shift,
            "zoom": zoom,
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
        if not (0 <= rotate <= 180 and 0 <= shear < 90):
            raise ValueError(
                f"expected rotate in [0, 180] and shear in [0, 90), got {rotate} and {shear}"
            )
        if zoom == 1 or crop == 0 or aspect < 1 or blur < 0 or pixel_noise < 0:
            raise ValueError(
                "expected zoom < 1, crop > 0, aspect >= 1, blur >= 0 and pixel_noise >= 0, "
                f"got {zoom}, {crop}, {aspect}, {blur} and {pixel_noise}"
            )
        self.image_shape = image_shape
        self.pixel_noise = pixel_noise
        self.steps = [
            *_affine(rotate, shift, zoom, shear),
            *_crop(image_shape, crop, aspect),
            *_flip(flip),
            *(_colour(jitter, jitter_probability, grey) if image_shape[0] == 3 else []),
            *_blur(image_shape, blur, blur_probability),
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
        if self.pixel_noise:
            xi = torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)
            seen = seen + self.pixel_noise * xi
        return seen.clamp(-1, 1)


def _affine(rotate: float, shift: float, zoom: float, shear: float) -> list[Any]:
    from kornia.augmentation import RandomAffine  # noqa: PLC0415 - slow to import

    if max(rotate, shift, zoom, shear) == 0:
        return []
    return [
        RandomAffine(
            rotate,
            translate=(shift, shift),
            scale=(1 - zoom, 1 + zoom, 1 - zoom, 1 + zoom),  # of width and height
            shear=shear or None,
            padding_mode="border",
            p=1.0,
        )
    ]


def _crop(image_shape: tuple[int, int, int], crop: float, aspect: float) -> list[Any]:
    from kornia.augmentation import RandomResizedCrop  # noqa: PLC0415

    if crop == 1:
        return []
    return [
        RandomResizedCrop(
            image_shape[1:],
            scale=(crop, 1.0),
            ratio=(1 / aspect, aspect),
            cropping_mode="resample",  # the whole batch at once; "slice" goes one by one
        )
    ]


def _flip(flip: float) -> list[Any]:
    from kornia.augmentation import RandomHorizontalFlip  # noqa: PLC0415

    return [RandomHorizontalFlip(p=flip)] if flip else []


def _colour(jitter: float, probability: float, grey: float) -> list[Any]:
    from kornia.augmentation import ColorJitter, RandomGrayscale  # noqa: PLC0415

    steps: list[Any] = []
    if jitter and probability:
        most = 0.8 * jitter
        steps.append(ColorJitter(most, most, most, 0.2 * jitter, p=probability))
    if grey:
        steps.append(RandomGrayscale(p=grey))
    return steps


def _blur(image_shape: tuple[int, int, int], blur: float, probability: float) -> list[Any]:
    from kornia.augmentation import RandomGaussianBlur  # noqa: PLC0415

    if not blur or not probability:
        return []
    # Two standard deviations to either side, or as far as padding by reflection reaches.
    reach = max(1, round(2 * blur))
    height, width = (2 * min(reach, side - 1) + 1 for side in image_shape[1:])
    return [RandomGaussianBlur((height, width), (blur / 10, blur), p=probability)]
