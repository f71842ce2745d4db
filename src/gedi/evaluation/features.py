"""A feature network for distances between sets of images, if Inception is not available.

It is a small classifier of the classes of the data set; its last hidden layer gives the features.
Distances in these features can rank samples of one data set, as is common for digits. They differ
from distances in the features of Inception, and are comparable only for the same network. Labels
are used for this measure only, never for the model.
"""

import json
import math
import os
from itertools import islice
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from gedi.untrusted import DAMAGED, refuse_special

__all__ = [
    "FeatureNet",
    "cached_feature_net",
    "load_feature_net",
    "save_feature_net",
    "train_feature_net",
]

_WIDTHS = (32, 64, 128)  # of the convolutions, each with a stride of 2
_GRID = 4  # height and width before the hidden layer, for images of any size
_GROUPS = 8
_FEATURES = 128
_LEARNING_RATE = 3e-3
_PART = 500  # images at a time, so that memory does not grow with their number


class FeatureNet(nn.Module):
    """A classifier of three convolutions and a hidden layer with SiLU, which gives the features.

    It is meant for images of 8 to 64 pixels.

    Args:
        image_shape: the shape of an image, (C, H, W).
        n_classes: the number of classes.
        generator: draws the initial weights, on its own device.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], n_classes: int, *, generator: Generator
    ) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.n_classes = n_classes
        self.num_features = _FEATURES  # as torchmetrics calls it
        layers: list[nn.Module] = []
        n_channels = image_shape[0]
        # On the meta device first, because layers initialise themselves from the global random
        # state.
        with torch.device("meta"):
            for width in _WIDTHS:
                convolution = nn.Conv2d(n_channels, width, 3, stride=2, padding=1)
                layers += [convolution, nn.GroupNorm(_GROUPS, width), nn.SiLU()]
                n_channels = width
            hidden = nn.Linear(n_channels * _GRID**2, _FEATURES)
            self.trunk = nn.Sequential(
                *layers, nn.AdaptiveAvgPool2d(_GRID), nn.Flatten(), hidden, nn.SiLU()
            )
            self.head = nn.Linear(_FEATURES, n_classes)
        self.to_empty(device=generator.device)
        for layer in self.modules():
            if isinstance(layer, nn.GroupNorm):
                layer.reset_parameters()
            elif isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, math.sqrt(5), generator=generator)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """The features (n, 128) of images (n, C·H·W) with values from 0 to 255, of any dtype."""
        images = x.to(self.head.weight).reshape(-1, *self.image_shape) / 127.5 - 1
        features: Tensor = self.trunk(images)
        return features

    def logits(self, x: Tensor) -> Tensor:
        """The logits (n, c) of the classes of images (n, C·H·W) with values from 0 to 255."""
        logits: Tensor = self.head(self(x))
        return logits

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """The most probable classes (n,) of images (n, C·H·W) with values from 0 to 255."""
        return torch.cat([self.logits(part).argmax(-1) for part in torch.split(x, _PART)])


def train_feature_net(
    x: Tensor,
    labels: Tensor,
    image_shape: tuple[int, int, int],
    *,
    n_epochs: int = 2,
    batch_size: int = 256,
    generator: Generator,
) -> FeatureNet:
    """Train a feature network to classify images, with Adam and a one-cycle learning rate.

    Args:
        x: images (n, C·H·W), uint8.
        labels: their classes (n,), codes from 0.
        image_shape: the shape of an image, (C, H, W).
        n_epochs: the number of passes over the images.
        batch_size: the number of images in a step; an incomplete batch at the end of a pass is
            omitted.
        generator: draws the initial weights and the order of the images.

    Returns:
        The network in evaluation mode, without gradients, on the device of the images.

    Raises:
        ValueError: if images have another dtype or shape, labels do not fit, or the number of
            epochs or the batch size is below 1.
    """
    _check(x, labels, image_shape)
    if n_epochs < 1 or batch_size < 1:
        raise ValueError(
            f"expected at least 1 epoch and 1 image per step, got {n_epochs} and {batch_size}"
        )
    labels = labels.to(x.device).long()
    net = FeatureNet(image_shape, int(labels.max()) + 1, generator=generator).to(x.device)
    n_steps = max(1, len(x) // batch_size)
    optimiser = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _LEARNING_RATE, total_steps=n_epochs * n_steps + 1
    )
    for _ in range(n_epochs):
        order = torch.randperm(len(x), generator=generator, device=generator.device).to(x.device)
        for index in islice(torch.split(order, batch_size), n_steps):
            loss = cross_entropy(net.logits(x[index]), labels[index])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return net.requires_grad_(False).eval()


def save_feature_net(net: FeatureNet, path: Path) -> None:
    """Write the tensors of a network, and its shape, to a safetensors file.

    The file is written under a temporary name and then renamed, so that readers never see an
    incomplete file.
    """
    tensors = {name: value.detach().contiguous() for name, value in net.state_dict().items()}
    shape = {"image_shape": json.dumps(net.image_shape), "n_classes": json.dumps(net.n_classes)}
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_bytes(save(tensors, metadata=shape))
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def load_feature_net(path: Path) -> FeatureNet:
    """Read a network from `save_feature_net`, in evaluation mode and without gradients.

    Raises:
        ValueError: if the file cannot be read, or does not contain a feature network.
    """
    try:
        refuse_special(path)
        with safe_open(path, "pt") as file:
            shape = {name: json.loads(value) for name, value in file.metadata().items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        channels, height, width = shape["image_shape"]
        n_classes = shape["n_classes"]
        # Checked before the network is built, because the sizes determine how much memory it takes.
        if (
            len(tensors["head.weight"]) != n_classes
            or tensors["trunk.0.weight"].shape[1] != channels
        ):
            raise ValueError(f"its tensors are not for {n_classes} classes and {channels} channels")
        net = FeatureNet((channels, height, width), n_classes, generator=Generator())
        net.load_state_dict(tensors)
    except DAMAGED as error:
        raise ValueError(
            f"{path}: cannot be read as a feature network: {' '.join(str(error).split())}"
        ) from error
    return net.requires_grad_(False).eval()


def cached_feature_net(
    path: Path,
    x: Tensor,
    labels: Tensor,
    image_shape: tuple[int, int, int],
    *,
    n_epochs: int = 2,
    batch_size: int = 256,
    generator: Generator,
) -> FeatureNet:
    """Read a network from a file; if the file does not exist, train the network and write it.

    It is checked that the network takes images of this shape, but not that it was trained on these
    images.

    Args:
        path: the file; its folder must exist.
        x: images (n, C·H·W), uint8.
        labels: their classes (n,), codes from 0.
        image_shape: the shape of an image, (C, H, W).
        n_epochs: see `train_feature_net`.
        batch_size: see `train_feature_net`.
        generator: see `train_feature_net`; it is not used if the file exists.

    Returns:
        The network in evaluation mode, without gradients, on the device of the images.

    Raises:
        ValueError: if the file cannot be read or is for images of another shape, or as for
            `train_feature_net`.
    """
    if path.exists():
        net = load_feature_net(path)
        if net.image_shape != tuple(image_shape):
            raise ValueError(
                f"{path}: expected images of shape {net.image_shape}, got {tuple(image_shape)}"
            )
        return net.to(x.device)
    net = train_feature_net(
        x, labels, image_shape, n_epochs=n_epochs, batch_size=batch_size, generator=generator
    )
    save_feature_net(net, path)
    return net


def _check(x: Tensor, labels: Tensor, image_shape: tuple[int, int, int]) -> None:
    d = math.prod(image_shape)
    if x.ndim != 2 or len(x) == 0 or x.shape[1] != d or x.dtype != torch.uint8:
        raise ValueError(
            f"expected images (n, {d}) of uint8 and of shape {image_shape}, "
            f"got {tuple(x.shape)} of {x.dtype}"
        )
    if labels.shape != x.shape[:1] or labels.is_floating_point() or int(labels.min()) < 0:
        raise ValueError(
            f"expected labels ({len(x)},), codes from 0, got {tuple(labels.shape)} "
            f"of {labels.dtype}"
        )
