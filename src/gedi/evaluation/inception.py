"""Inception's features, in which published distances between sets of images are measured.

The network is that of torch-fidelity (the extra `inception`), which repeats the original of Heusel
et al. (NeurIPS 2017) to the resizing of its inputs. Its weights are read from a file or downloaded,
either way as plain tensors, so that no code in them can run.
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
    """From images to Inception's last pooled features.

    Args:
        image_shape: (C, H, W) with one channel, which is repeated, or three.
        weights: a file of torch-fidelity's weights; None to download them, once.

    Raises:
        GediError: where torch-fidelity is not installed.
        DataError: for images of other channels, and weights that cannot be read or had.
    """

    def __init__(self, image_shape: tuple[int, int, int], weights: Path | None = None) -> None:
        super().__init__()
        if image_shape[0] not in (1, 3):
            raise DataError(f"Inception takes images of 1 or 3 channels, got {image_shape[0]}")
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
        # It would unpickle a file itself, so it gets one of tensors that were read safely.
        safe = io.BytesIO()
        torch.save(tensors, safe)
        safe.seek(0)
        try:
            self.net = FeatureExtractorInceptionV3("inception", [str(_FEATURES)], safe)
        except RuntimeError as error:
            raise DataError(f"{weights}: are not Inception's weights: {error}") from error
        self.image_shape = image_shape
        self.num_features = _FEATURES  # as torchmetrics calls it

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, 2048) of images (n, C·H·W), values from 0 to 255."""
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
            f"Inception's weights cannot be downloaded: {error}; give their file instead "
            f"(--features FILE.pth, from {url})"
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
