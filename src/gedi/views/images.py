"""Views of images as in contrastive learning, computed for a whole batch on its device.

A small affine change is followed by crop, mirroring, colour, blur and noise, in the order of SimCLR
(Chen et al., ICML 2020, https://arxiv.org/abs/2002.05709). Each change is drawn independently for
every image.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Generator, Tensor

from gedi.random_state import lent_random_state
from gedi.views.colours import Jitter, greyed
from gedi.views.geometry import Geometry, mirrored

__all__ = ["ImageViews"]

Step = Callable[[Tensor, Generator], Tensor]
"""A random change of images (n, C, H, W) in [0, 1]."""


class ImageViews:
    """Moved, cropped, mirrored, recoloured, blurred and noisy images.

    Changes of strength 0 are omitted. Images and their views have values in [-1, 1]. The changes of
    colour apply to images of three channels (red, green, blue) only. Pixels outside the image
    repeat those of its border.

    Args:
        image_shape: the shape of the images, (C, H, W); points are flattened images.
        rotate: the largest rotation, in degrees.
        shift: the largest shift, as a share of the image.
        zoom: the largest change of the width and, independently, of the height, as a share.
        shear: the largest shear, in degrees.
        crop: the smallest share of the area that is kept, and then enlarged to the whole image; 1
            keeps all of it.
        aspect: the largest aspect ratio of the kept part, as width / height or height / width; at
            least 1.
        flip: the probability of mirroring left to right.
        jitter: the strength s of the change of colour, as in SimCLR. Brightness, contrast and
            saturation change by up to a share of 0.8 s, the hue by up to 0.2 s of the colour
            circle.
        jitter_probability: the probability of the change of colour.
        grey: the probability of the conversion to grey.
        blur: the largest standard deviation of the Gaussian blur, in pixels; the smallest is a
            tenth of it.
        blur_probability: the probability of the blur.
        pixel_noise: the standard deviation of the Gaussian noise on every pixel, for values in
            [-1, 1].

    Raises:
        ValueError: if a share or a probability is outside [0, 1], or another number is out of
            range.
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
        self.steps: list[Step] = []
        if max(rotate, shift, zoom, shear) > 0 or crop < 1:
            self.steps.append(Geometry(rotate, shift, zoom, shear, crop, aspect))
        if flip:
            self.steps.append(partial(mirrored, probability=flip))
        if image_shape[0] == 3:
            self.steps += _colours(jitter, jitter_probability, grey)
        if blur and blur_probability:
            self.steps.append(_Blur(image_shape, blur, blur_probability))

    def __call__(self, x: Tensor, *, generator: Generator, **_: object) -> Tensor:
        """The views of points, (..., n, d) -> (..., n, d)."""
        # The changes of colour are defined on [0, 1].
        images = (x.reshape(-1, *self.image_shape) + 1) / 2
        for step in self.steps:
            images = step(images, generator)
        seen = 2 * images.reshape(x.shape) - 1
        if self.pixel_noise:
            xi = torch.randn(x.shape, dtype=x.dtype, device=x.device, generator=generator)
            seen = seen + self.pixel_noise * xi
        return seen.clamp(-1, 1)


def _colours(jitter: float, probability: float, grey: float) -> Iterator[Step]:
    if jitter and probability:
        yield Jitter(jitter, probability)
    if grey:
        yield partial(greyed, probability=grey)


class _Blur:
    """A Gaussian blur of each image with a probability, with random widths."""

    def __init__(self, image_shape: tuple[int, int, int], blur: float, probability: float) -> None:
        from kornia.augmentation import RandomGaussianBlur  # noqa: PLC0415 - slow to import

        # Two standard deviations to each side, or as far as padding by reflection allows.
        reach = max(1, round(2 * blur))
        height, width = (2 * min(reach, side - 1) + 1 for side in image_shape[1:])
        self.blur = RandomGaussianBlur((height, width), (blur / 10, blur), p=probability)

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        with lent_random_state(images, generator):
            blurred: Tensor = self.blur(images)
        return blurred
