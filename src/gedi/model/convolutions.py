"""Convolutional encoders: from images (n, C, H, W) in [-1, 1] to embeddings (n, n_features).

Their activations are smooth, because Langevin chains follow the input gradient. They use no batch
statistics, because the energy of an image must not depend on the other images of the batch. Initial
weights are drawn from the given generator.
"""

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import avg_pool2d, silu

__all__ = ["ResNet8", "ResNet18", "SmallConvNet", "convolution", "dense"]

_SMALL_GAIN = 0.4


def convolution(
    n_inputs: int,
    n_outputs: int,
    size: int,
    stride: int = 1,
    *,
    bias: bool = True,
    gain: float = 1.0,
    generator: Generator,
) -> nn.Conv2d:
    """A convolution, padded to keep the size of the image at stride 1.

    Its weights are initialised as those of `dense`.
    """
    layer = nn.Conv2d(
        n_inputs, n_outputs, size, stride, padding=size // 2, bias=bias, device="meta"
    ).to_empty(device=torch.get_default_device())
    _draw(layer, gain, generator)
    return layer


def dense(n_inputs: int, n_outputs: int, *, gain: float = 1.0, generator: Generator) -> nn.Linear:
    """An affine layer with weights uniform in ±gain sqrt(6 / n_inputs) and a bias of zero.

    With a gain of 1, the weights have the variance 2 / n_inputs, which preserves the scale of
    activations through layers whose units are half inactive (He et al., ICCV 2015,
    https://arxiv.org/abs/1502.01852). This matters for networks without normalisation.
    """
    # Created on the meta device, because layers initialise themselves from the global random state.
    layer = nn.Linear(n_inputs, n_outputs, device="meta").to_empty(
        device=torch.get_default_device()
    )
    _draw(layer, gain, generator)
    return layer


class SmallConvNet(nn.Module):
    """Three convolutions and a dense layer: 5x5/2 32, 3x3/2 64, 3x3 64, 256.

    It is large enough for handwritten digits, and fast without a GPU. The initial weights are
    small: with larger ones, posteriors are confident too early, and clusters form more slowly.

    Args:
        image_shape: the shape of an image, (C, H, W).
        generator: draws the initial weights.
    """

    def __init__(self, image_shape: tuple[int, int, int], generator: Generator) -> None:
        super().__init__()
        channels, height, width = image_shape
        self.convolutions = nn.ModuleList(
            [
                convolution(channels, 32, 5, 2, gain=_SMALL_GAIN, generator=generator),
                convolution(32, 64, 3, 2, gain=_SMALL_GAIN, generator=generator),
                convolution(64, 64, 3, gain=_SMALL_GAIN, generator=generator),
            ]
        )
        self.n_features = 256
        # Two strides of 2, each of which rounds up.
        n_flat = 64 * math.ceil(height / 4) * math.ceil(width / 4)
        self.dense = dense(n_flat, self.n_features, gain=_SMALL_GAIN, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """(n, C, H, W) -> (n, 256)."""
        if x.is_cuda:  # the memory format of tensor cores
            x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.convolutions:
            x = silu(layer(x))
        return silu(self.dense(x.flatten(1)))


class ResNet8(nn.Module):
    """Eight convolutions in four residual blocks of 128 channels, without normalisation.

    This is the critic of spectrally normalised GANs (Miyato et al., ICLR 2018,
    https://arxiv.org/abs/1802.05957) without the spectral norm, as in the published code of VERA
    (Grathwohl et al., ICLR 2021, https://arxiv.org/abs/2010.04230), with SiLU instead of LeakyReLU.
    The first two blocks halve the image; the embedding is the mean over the remaining pixels.

    Args:
        image_shape: the shape of an image, (C, H, W); H and W are at least 4.
        generator: draws the initial weights.
        width: the number of channels of all blocks.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], generator: Generator, width: int = 128
    ) -> None:
        super().__init__()
        self.n_features = width
        self.blocks = nn.Sequential(
            _PlainBlock(image_shape[0], width, halve=True, first=True, generator=generator),
            _PlainBlock(width, width, halve=True, generator=generator),
            _PlainBlock(width, width, generator=generator),
            _PlainBlock(width, width, generator=generator),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, C, H, W) -> (n, width)."""
        # Convolutions are faster in this format, on GPUs and on CPUs.
        x = x.contiguous(memory_format=torch.channels_last)
        return silu(self.blocks(x)).mean((-2, -1))


class ResNet18(nn.Module):
    """The residual network of 18 layers, for images of about 32 pixels.

    The first convolution is 3x3 with stride 1 and is not followed by pooling, so that small images
    keep their size. Normalisation is over groups of channels instead of batches. Source: He et al.,
    CVPR 2016, https://arxiv.org/abs/1512.03385; Wu & He, ECCV 2018,
    https://arxiv.org/abs/1803.08494.

    Args:
        image_shape: the shape of an image, (C, H, W).
        generator: draws the initial weights.
    """

    def __init__(self, image_shape: tuple[int, int, int], generator: Generator) -> None:
        super().__init__()
        widths = (64, 128, 256, 512)
        self.n_features = widths[-1]
        self.stem = convolution(image_shape[0], 64, 3, bias=False, generator=generator)
        self.norm = _groups(64)
        blocks, n_inputs = [], 64
        for stage, n_outputs in enumerate(widths):
            for stride in (1 if stage == 0 else 2, 1):
                blocks.append(_GroupedBlock(n_inputs, n_outputs, stride, generator=generator))
                n_inputs = n_outputs
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """(n, C, H, W) -> (n, 512)."""
        if x.is_cuda:  # on CPUs, group norms are slower in this format
            x = x.contiguous(memory_format=torch.channels_last)
        features: Tensor = self.blocks(silu(self.norm(self.stem(x))))
        return features.mean((-2, -1))


class _PlainBlock(nn.Module):
    """x + conv(silu(conv(silu(x)))), optionally halved by averaging.

    The first block of a network omits the inner silu(x), because x are pixels.
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        *,
        halve: bool = False,
        first: bool = False,
        generator: Generator,
    ) -> None:
        super().__init__()
        self.halve = halve
        self.first = first
        self.conv1 = convolution(n_inputs, n_outputs, 3, generator=generator)
        self.conv2 = convolution(n_outputs, n_outputs, 3, generator=generator)
        self.shortcut: nn.Module = (
            nn.Identity()
            if n_inputs == n_outputs
            else convolution(n_inputs, n_outputs, 1, generator=generator)
        )

    def forward(self, x: Tensor) -> Tensor:
        branch = self.conv2(silu(self.conv1(x if self.first else silu(x))))
        if self.halve:
            # The shortcut commutes with averaging and is cheaper after it.
            branch, x = avg_pool2d(branch, 2), avg_pool2d(x, 2)
        total: Tensor = branch + self.shortcut(x)
        return total


class _GroupedBlock(nn.Module):
    """silu(x + norm(conv(silu(norm(conv(x))))))."""

    def __init__(self, n_inputs: int, n_outputs: int, stride: int, *, generator: Generator) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            convolution(n_inputs, n_outputs, 3, stride, bias=False, generator=generator),
            _groups(n_outputs),
            nn.SiLU(),
            convolution(n_outputs, n_outputs, 3, bias=False, generator=generator),
            _groups(n_outputs),
        )
        self.shortcut: nn.Module = (
            nn.Identity()
            if n_inputs == n_outputs
            else nn.Sequential(
                convolution(n_inputs, n_outputs, 1, stride, bias=False, generator=generator),
                _groups(n_outputs),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return silu(self.branch(x) + self.shortcut(x))


def _groups(n_channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, n_channels)


@torch.no_grad()
def _draw(layer: nn.Conv2d | nn.Linear, gain: float, generator: Generator) -> None:
    bound = gain * math.sqrt(6 / layer.weight[0].numel())
    layer.weight.uniform_(-bound, bound, generator=generator)
    if layer.bias is not None:
        layer.bias.zero_()
