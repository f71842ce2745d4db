"""How unusual images are: the outlier energy of what the network and the pixels say about them.

The density alone ranks smooth images as most typical (Serrà et al., ICLR 2020,
https://arxiv.org/abs/1909.11480). Each image therefore becomes a few numbers, and an image is
unusual if these are far from those of other images, in whatever direction.
"""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d

from gedi.model.classifier import EnergyClassifier
from gedi.model.outlier_energy import OutlierEnergy

__all__ = ["ImageOutlierEnergy", "image_features", "pixel_statistics"]

Shape = tuple[int, int, int]

_LEAST = 1e-4  # square, in scaled units, that is added to mean squares before the logarithm
_FLAT = 1e-30  # the least norm of a gradient
_COARSEST = 4  # pixels on the shorter side of the coarsest scale
_PART = 2**16  # values at a time, as gradients need the activations of all layers
_MOST_IMAGES = 256  # at a time


class ImageOutlierEnergy(OutlierEnergy):
    """The outlier energy of features of images, see `image_features`.

    Args:
        references: the references, whose rows are features.
        image_shape: the shape of one image, (C, H, W).
        tensors: held-out energies of m images that the network was not trained on, and the
            clusters of these, (m,).
    """

    image_shape: Shape

    @classmethod
    def of_images(
        cls,
        network: EnergyClassifier,
        z: Tensor,
        image_shape: Shape,
        generator: Generator,
    ) -> tuple[Self, Tensor]:
        """The energy of images (n, d), n >= 2, scaled, that the network was not trained on.

        Args:
            network: the network.
            z: the images, flattened.
            image_shape: the shape of one image, (C, H, W).
            generator: splits them into references, on the CPU.

        Returns:
            The energy, with all clusters 0, and the places of the held-out images, (m,).
        """
        energy, places = cls.fit(image_features(network, z, image_shape), generator)
        energy.image_shape = image_shape
        return energy, places

    @classmethod
    def blank_for(cls, tensors: Mapping[str, Tensor], image_shape: Shape) -> Self:
        """One for images of a shape that can load these tensors, a `state_dict`.

        Raises:
            ValueError: for tensors that are not those of an energy of such images.
        """
        n_statistics = pixel_statistics(torch.zeros(1, *image_shape)).shape[1]
        energy = cls.blank(tensors, 2 + n_statistics)
        energy.image_shape = image_shape
        return energy

    def of(self, network: EnergyClassifier, z: Tensor) -> Tensor:
        """The energy of images (n, d), scaled, under the network it was fitted with, (n,)."""
        return self.forward(image_features(network, z, self.image_shape))


def image_features(network: EnergyClassifier, z: Tensor, image_shape: Shape) -> Tensor:
    """The numbers by which images are compared, (n, d) -> (n, k).

    These are E(z) and log |∇E(z)| in nats, and the pixel statistics of each image.
    """
    n_images = max(1, min(_MOST_IMAGES, _PART // z.shape[1]))
    parts = []
    for part in torch.split(z.detach(), n_images):
        with torch.enable_grad():
            x = part.clone().requires_grad_(True)
            energy = network.energy(x)
            (gradient,) = torch.autograd.grad(energy.sum(), x)
        slope = gradient.norm(dim=1).clamp_min(_FLAT).log()
        own = torch.stack([energy.detach(), slope], 1)
        parts.append(torch.cat([own, pixel_statistics(part.reshape(-1, *image_shape))], 1))
    return torch.cat(parts)


def pixel_statistics(z: Tensor) -> Tensor:
    """Statistics of each channel of images, (n, C, H, W) -> (n, k).

    At each scale s, with z_s the means over squares of 2^s pixels, and in both directions:

        log( mean (z_s(u + 1) - z_s(u))² + 0.0001 )

    down to scales with 4 pixels on the shorter side. Then the mean and the log variance of the
    pixels of each channel.
    """
    moments = [z.mean((2, 3)), _log(z.var((2, 3), correction=0))]
    found: list[Tensor] = []
    while True:
        steps = [z.diff(dim=side) for side in (-1, -2) if z.shape[side] > 1]
        found += [_log(step.square().mean((2, 3))) for step in steps]
        z = avg_pool2d(z, 2, ceil_mode=True, count_include_pad=False)
        if min(z.shape[-2:]) < _COARSEST:
            return torch.cat(found + moments, 1)


def _log(squares: Tensor) -> Tensor:
    return squares.add(_LEAST).log()
