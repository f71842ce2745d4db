"""Random rotations, shifts, zooms, shears and crops of images, in one resampling."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

__all__ = ["Geometry", "mirrored"]


@dataclass(frozen=True)
class Geometry:
    """A small affine change, then a crop, drawn independently for every image of a batch.

    Pixels outside the image repeat those of its border. Change and crop are combined into one
    affine map from the pixels of the view to those of the image, so that images are resampled only
    once, and nothing is read back from the device.

    Args:
        rotate: the largest rotation, in degrees.
        shift: the largest shift, as a share of the image.
        zoom: the largest change of the width and, independently, of the height, as a share.
        shear: the largest shear, in degrees.
        crop: the smallest share of the area that is kept, and then enlarged to the whole image.
        aspect: the largest aspect ratio of the kept part, as width / height or height / width.
    """

    rotate: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    crop: float = 1.0
    aspect: float = 4 / 3

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """(n, C, H, W) -> (n, C, H, W)."""
        places = self._changed(images, generator) @ self._cropped(images, generator)
        grid = affine_grid(places[:, :2], list(images.shape), align_corners=False)
        return grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _changed(self, images: Tensor, generator: Generator) -> Tensor:
        """Matrices (n, 3, 3) from positions in changed images to positions in the given ones.

        Coordinates range from -1 to 1. The change maps x to R S K x + t with a shear K, a zoom S, a
        rotation R and a shift t; this is its inverse.
        """
        n, _, height, width = images.shape
        draw = _Uniform(n, images, generator)
        angle = draw(math.radians(self.rotate))
        slope = draw(math.radians(self.shear)).tan()
        across, down = 1 + draw(self.zoom), 1 + draw(self.zoom)
        right, below = draw(2 * self.shift), draw(2 * self.shift)  # sides have length 2
        cos, sin = angle.cos(), angle.sin()
        ratio = height / width  # rotations and shears refer to square pixels
        # S⁻¹ R⁻¹, then K⁻¹ from the left.
        xx, xy = cos / across, sin * ratio / across
        yx, yy = -sin / ratio / down, cos / down
        xx, xy = xx - slope * ratio * yx, xy - slope * ratio * yy
        zero, one = torch.zeros_like(xx), torch.ones_like(xx)
        rows = [
            [xx, xy, -(xx * right + xy * below)],
            [yx, yy, -(yx * right + yy * below)],
            [zero, zero, one],
        ]
        return torch.stack([torch.stack(row, -1) for row in rows], -2)

    def _cropped(self, images: Tensor, generator: Generator) -> Tensor:
        """Matrices (n, 3, 3) from positions in the enlarged part to those in the whole image."""
        draw = _Uniform(len(images), images, generator)
        if self.crop == 1:
            return torch.eye(3, dtype=images.dtype, device=images.device)
        area = (1 + self.crop) / 2 + draw((1 - self.crop) / 2)
        stretch = draw(math.log(self.aspect)).exp()
        width, height = (area * stretch).sqrt(), (area / stretch).sqrt()
        width, height = width.clamp_max(1), height.clamp_max(1)
        zero, one = torch.zeros_like(width), torch.ones_like(width)
        rows = [
            [width, zero, (1 - width) * draw(1.0)],
            [zero, height, (1 - height) * draw(1.0)],
            [zero, zero, one],
        ]
        return torch.stack([torch.stack(row, -1) for row in rows], -2)


def mirrored(images: Tensor, generator: Generator, probability: float) -> Tensor:
    """Mirror each of the images (n, C, H, W) left to right with a probability."""
    chance = torch.rand(len(images), device=images.device, generator=generator)
    return torch.where((chance < probability)[:, None, None, None], images.flip(-1), images)


@dataclass(frozen=True)
class _Uniform:
    """Draws one number from [-most, most] for each of n images."""

    n: int
    like: Tensor
    generator: Generator

    def __call__(self, most: float) -> Tensor:
        unit = torch.rand(
            self.n, dtype=self.like.dtype, device=self.like.device, generator=self.generator
        )
        return most * (2 * unit - 1)
