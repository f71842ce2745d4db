"""`ImageFeatures`: vectors of photographs by a vision network."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gedi.errors import DataError
from gedi.features.base import BaseFeatures
from gedi.features.networks import LITE, VisionNetwork, identity_of, load_network
from gedi.untrusted.pixels import planes_of

__all__ = ["ImageFeatures"]


class ImageFeatures(BaseFeatures):
    """Features of photographs by a pretrained vision network; it needs the extra `vision`.

    Args:
        model: "efficientnet-lite0", whose weights come with the extra; a vision model of
            transformers, as a local folder or a name on the Hugging Face hub, such as
            facebook/dinov2-small; an ONNX file; or package.module:function, see
            `gedi.feature_network`. None: efficientnet-lite0, with 1,280 features.
        batch_size: the number of images that the network sees together.
        device: "auto", "cpu" or "cuda".
        cache: a folder in which features are kept by the content of the images; None: nowhere.

    Attributes:
        n_features_out_: the number of features, d.

    Example:
        >>> from gedi import GEDI, ImageFeatures
        >>> from sklearn.pipeline import make_pipeline
        >>> pipeline = make_pipeline(ImageFeatures(), GEDI(n_clusters=10))
    """

    @property
    def n_features(self) -> int:
        """The number of features, d."""
        return self._network.n_features

    @property
    def identity(self) -> str:
        """A text that differs for another network."""
        return f"image {identity_of(self._name, self._network)}"

    def encode(self, items: Sequence[Any]) -> NDArray[np.float32]:
        """The features of some images: paths, arrays or images of Pillow, (k, d)."""
        network = self._network
        with ThreadPoolExecutor() as pool:  # Pillow lets other threads run
            prepared = list(pool.map(lambda item: network.prepare(_rgb(item)), items))
        shapes = {planes.shape for planes in prepared}
        if len(shapes) > 1:
            raise DataError(
                f"{self._name}: the preparation gave images of different shapes: {sorted(shapes)}"
            )
        return self._finite(network.apply(np.stack(prepared)))

    @property
    def _name(self) -> str:
        return LITE if self.model is None else str(self.model)

    @cached_property
    def _network(self) -> VisionNetwork:
        return load_network(self._name, self.device)

    def _items(self, x: Any) -> Sequence[Any]:
        """The images as a sequence.

        Raises:
            DataError: for a single path or image.
        """
        if isinstance(x, (str, Path, Image.Image)) or getattr(x, "ndim", 4) == 2:
            raise DataError("expected a list of images or of their paths, got a single one")
        return x if hasattr(x, "__getitem__") and hasattr(x, "__len__") else list(x)

    def _content(self, items: Sequence[Any]) -> str:
        found = hashlib.sha256()
        for item in items:
            if isinstance(item, (str, Path)):
                found.update(hashlib.sha256(Path(item).read_bytes()).digest())
            else:
                pixels = np.asarray(_rgb(item))
                found.update(f"{pixels.shape} ".encode() + pixels.tobytes())
        return found.hexdigest()


def _rgb(item: Any) -> Image.Image:
    """An image in colour.

    Args:
        item: a path; encoded bytes; an image of Pillow; or an array (H, W), (C, H, W) or (H, W, C)
            of bytes, or of floats from 0 to 1, with 1 or 3 channels.

    Raises:
        DataError: if it cannot be read.
    """
    if isinstance(item, Image.Image):
        return item.convert("RGB")
    if isinstance(item, (str, Path, bytes)):
        planes = planes_of(item if isinstance(item, bytes) else Path(item), None, in_bytes=True)
        if isinstance(planes, str):
            raise DataError(f"{'an image' if isinstance(item, bytes) else item} {planes}")
    else:
        planes = _bytes_of(np.asarray(item))
    pixels = planes.transpose(1, 2, 0)
    return Image.fromarray(np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels)


def _bytes_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    """An array as planes of bytes, (C, H, W)."""
    if array.ndim == 2:
        array = array[None]
    elif array.ndim == 3 and array.shape[0] not in (1, 3) and array.shape[2] in (1, 3):
        array = array.transpose(2, 0, 1)
    if array.ndim != 3 or array.shape[0] not in (1, 3):
        raise DataError(
            f"expected images (H, W), (C, H, W) or (H, W, C) of 1 or 3 channels, got {array.shape}"
        )
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f" or not (array >= 0).all() or not (array <= 1).all():
        raise DataError(
            f"expected images of bytes, or of floats from 0 to 1, got {array.dtype} from "
            f"{array.min()} to {array.max()}"
        )
    return np.asarray((255 * array).round(), dtype=np.uint8)
