"""Inception's features: what goes in and comes out, and weights that are read as tensors only.

Its package is heavy, so a stand-in with the same face is used here.
"""

import os
import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from gedi.errors import DataError, GediError
from gedi.evaluation import inception
from gedi.evaluation.inception import Inception

MODULE = "torch_fidelity.feature_extractor_inceptionv3"


class StandIn(nn.Module):
    """As torch-fidelity's extractor: bytes (n, 3, H, W) in, a tuple of features out."""

    def __init__(self, name, features_list, feature_extractor_weights_path=None):
        super().__init__()
        assert features_list == ["2048"]
        self.layer = nn.Linear(3, 2048, bias=False)
        self.load_state_dict(torch.load(feature_extractor_weights_path, weights_only=False))
        self.requires_grad_(False)

    def forward(self, x):
        assert x.dtype == torch.uint8 and x.ndim == 4 and x.shape[1] == 3
        return (self.layer(x.float().mean((2, 3))),)


@pytest.fixture(autouse=True)
def package(monkeypatch):
    module = ModuleType(MODULE)
    module.FeatureExtractorInceptionV3 = StandIn
    module.URL_INCEPTION_V3 = "https://example.org/weights.pth"
    monkeypatch.setitem(sys.modules, "torch_fidelity", ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, MODULE, module)


@pytest.fixture
def weights(tmp_path):
    tensors = {"layer.weight": torch.arange(3 * 2048.0).reshape(2048, 3)}
    torch.save(tensors, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def test_the_channel_of_grey_images_is_repeated(weights):
    x = torch.randint(256, (5, 16), generator=torch.Generator().manual_seed(0))
    grey = Inception((1, 4, 4), weights)
    features = grey(x)
    assert features.shape == (5, 2048) and grey.num_features == 2048
    colour = Inception((3, 4, 4), weights)
    torch.testing.assert_close(colour(x.repeat(1, 3)), features)
    expected = x.float().mean(1, keepdim=True) * grey.net.layer.weight.sum(1)
    torch.testing.assert_close(features, expected)


def test_downloaded_weights_are_read_as_tensors(weights, monkeypatch):
    asked = {}

    def download(url, **options):
        asked.update(options, url=url)
        return torch.load(weights)

    monkeypatch.setattr(inception, "load_state_dict_from_url", download)
    Inception((3, 4, 4))
    assert asked["weights_only"] is True and asked["url"].endswith("weights.pth")

    def fail(url, **options):
        raise OSError("no route")

    monkeypatch.setattr(inception, "load_state_dict_from_url", fail)
    with pytest.raises(DataError, match=r"cannot be downloaded: no route.*FILE\.pth"):
        Inception((3, 4, 4))


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_invalid_weights_are_refused_and_run_no_code(tmp_path):
    file = tmp_path / "weights.pth"
    torch.save({"layer.weight": Malicious(tmp_path / "executed")}, file)
    with pytest.raises(DataError, match="cannot be read as Inception's weights"):
        Inception((3, 4, 4), file)
    assert not (tmp_path / "executed").exists()
    for content in ([1], {"other": torch.ones(2)}):
        torch.save(content, file)
        with pytest.raises(DataError, match="Inception's weights"):
            Inception((3, 4, 4), file)
    for name in ("missing.pth", "."):
        with pytest.raises(DataError, match="Inception's weights"):
            Inception((3, 4, 4), tmp_path / name)


def test_images_of_other_channels_are_refused(weights):
    with pytest.raises(DataError, match=r"1 or 3 channels .*, got 4"):
        Inception((4, 4, 4), weights)


def test_without_its_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, MODULE, None)
    with pytest.raises(GediError, match=r"gedi\[inception\]"):
        Inception((3, 4, 4))
