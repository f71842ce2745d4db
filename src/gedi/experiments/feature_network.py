"""The feature network that compares samples with images: read from a file, or trained."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, nn

from gedi.data.dataset import Dataset
from gedi.errors import DataError
from gedi.evaluation.features import FeatureNet, cached_feature_net
from gedi.evaluation.inception import Inception
from gedi.evaluation.measures import as_bytes
from gedi.runs import Run

__all__ = ["FeatureNetwork", "feature_network"]

_NAME = "features.safetensors"
_BATCH_SIZE = 64
_LEAST_IMAGES = 20_000  # at least, over all passes: enough for scikit-learn's few digits


@dataclass(frozen=True)
class FeatureNetwork:
    """A feature network and its description.

    Args:
        net: the network.
        name: a description in words.
        file: path of its weights; "Inception" if they were downloaded.
        accuracy: share of the measured images that it classifies correctly; None if not known.
    """

    net: nn.Module
    name: str
    file: str
    accuracy: float | None


def feature_network(
    run: Run, path: str | None, images: Dataset, generator: Generator
) -> FeatureNetwork:
    """Inception, or the network in a file; without a file, one is trained on labelled images.

    Args:
        run: the run, whose folder holds the file if there is no path.
        path: "inception"; or the file, or a folder that holds it under its default name. A file
            that ends in .pth holds Inception's weights.
        images: the images to measure. They give the shape, and with labels the accuracy.
        generator: source of randomness of the training.

    Raises:
        DataError: if there is neither a file nor labels, or the file does not fit.
        GediError: for Inception if it is not installed.
    """
    assert images.image_shape is not None
    if path == "inception" or (path is not None and Path(path).suffix == ".pth"):
        weights = None if path == "inception" else Path(path)
        return FeatureNetwork(
            Inception(images.image_shape, weights),
            "Inception",
            "Inception" if weights is None else str(weights),
            None,
        )
    file = run.path / _NAME if path is None else Path(path)
    if file.is_dir():
        file = file / _NAME
    if not file.parent.is_dir():
        raise DataError(f"{file}: the folder {file.parent} does not exist")
    if file.suffix != ".safetensors":
        raise DataError(
            f"{file}: expected inception, a name that ends in .safetensors or .pth, or a folder"
        )
    new = not file.exists()
    # A network from a file only needs the shape of the images.
    known = run.read() if new else images
    if known.labels is None and new:
        raise DataError(
            f"{known.name} has no labels to train a feature network with: give a network for such "
            "images with --features"
        )
    assert known.value_range is not None
    labels = torch.from_numpy(known.labels) if known.labels is not None else torch.zeros(0)
    try:
        net = cached_feature_net(
            file,
            as_bytes(known.x, known.value_range),
            labels,
            images.image_shape,
            n_epochs=max(2, -(-_LEAST_IMAGES // len(known.x))),
            batch_size=_BATCH_SIZE,
            generator=generator,
        )
    except ValueError as error:
        raise DataError(str(error)) from error
    names = known.class_names if new else ()
    made = "trained now and kept in" if new else "read from"
    accuracy = _accuracy(net, images, names)
    return FeatureNetwork(net, f"a small classifier {made} {file}", str(file), accuracy)


def _accuracy(net: FeatureNet, images: Dataset, names: tuple[str, ...]) -> float | None:
    """Share of correctly classified images; None if the network has other classes."""
    if images.labels is None or images.value_range is None:
        return None
    # The file does not hold the names of its classes, so only their number can be compared.
    if (names and names != images.class_names) or len(images.class_names) != net.n_classes:
        return None
    found = net.classify(as_bytes(images.x, images.value_range)).numpy()
    return float((found == images.labels).mean())
