"""Features of the Inception network, in which published distances between images are measured.

The network is that of torch-fidelity (the extra `inception`), which reproduces the original of
Heusel et al. (NeurIPS 2017, https://arxiv.org/abs/1706.08500) including the resizing of its inputs.
Its weights are read from a file or downloaded, in both cases as plain tensors, so that they cannot
run code.
"""

import io
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn
from torch.hub import load_state_dict_from_url

from gedi.errors import DataError, GediError
from gedi.untrusted import refuse_special

__all__ = ["Inception"]

_FEATURES = 2048


class Inception(nn.Module):
    """The last pooled features of the Inception network.

    Args:
        image_shape: the shape of an image, (C, H, W), with three channels, or one that is repeated.
        weights: a file with the weights of torch-fidelity; None downloads them once.

    Raises:
        GediError: if torch-fidelity is not installed.
        DataError: if images have another number of channels, or the weights cannot be read or
            downloaded.
    """

    def __init__(self, image_shape: tuple[int, int, int], weights: Path | None = None) -> None:
        super().__init__()
        if image_shape[0] not in (1, 3):
            raise DataError(
                f"expected images of 1 or 3 channels for Inception, got {image_shape[0]}"
            )
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import (  # noqa: PLC0415
                URL_INCEPTION_V3,
                FeatureExtractorInceptionV3,
            )
        except ImportError as error:
            raise GediError(
                "Inception's features need torch-fidelity: pip install 'gedi[inception]'"
            ) from error
        tensors = _downloaded(URL_INCEPTION_V3) if weights is None else _read(weights)
        # The extractor unpickles its file, so it gets one written from safely read tensors.
        safe = io.BytesIO()
        torch.save(tensors, safe)
        safe.seek(0)
        try:
            self.net = FeatureExtractorInceptionV3("inception", [str(_FEATURES)], safe)
        except RuntimeError as error:
            raise DataError(f"{weights}: cannot be used as Inception's weights: {error}") from error
        self.image_shape = image_shape
        self.num_features = _FEATURES  # as torchmetrics calls it

    def forward(self, x: Tensor) -> Tensor:
        """The features (n, 2048) of images (n, C·H·W) with values from 0 to 255."""
        images = x.to(torch.uint8).reshape(-1, *self.image_shape)
        features: Tensor = self.net(images.expand(-1, 3, -1, -1))[0]
        return features


def _downloaded(url: str) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_state_dict_from_url(
            url, map_location="cpu", weights_only=True
        )
    except OSError as error:
        raise DataError(
            f"Inception's weights cannot be downloaded: {error}; download {url} and pass the file "
            "(--features FILE.pth)"
        ) from error
    return tensors


def _read(file: Path) -> dict[str, Tensor]:
    try:
        refuse_special(file)
        tensors = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, LookupError, UnpicklingError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{file}: cannot be read as Inception's weights: {reason}") from error
    if not isinstance(tensors, dict):
        raise DataError(f"{file}: cannot be read as Inception's weights: it holds no tensors")
    return tensors
