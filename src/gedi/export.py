"""Export of a trained model as one ONNX file, which runs without gedi or torch.

This needs the extra `export`. The graph takes points in the user's units and returns
`probabilities`, `energy` and, if log Z is known, `log_density`, with the values of
`TrainedModel.predict`. The file is written only if its outputs agree with those of PyTorch.
"""

import copy
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

import gedi
from gedi.errors import GediError, RunError
from gedi.files import beside
from gedi.model import energy_of_logits
from gedi.training.trained import TrainedModel

__all__ = ["TOLERANCE", "Agreement", "export", "load_tools", "output_names"]

TOLERANCE = 1e-4
_OPSET = 20
_ROWS = 64  # points of noise on which the file is compared with PyTorch


class Agreement(NamedTuple):
    """The largest differences between the file and PyTorch, on uniform noise in the box.

    Attributes:
        rows: the number of points.
        probabilities: the largest difference of a probability.
        energy: the largest difference of an energy in nats; relative to the energy where that
            exceeds one nat.
        has_density: whether the file returns `log_density`.
    """

    rows: int
    probabilities: float
    energy: float
    has_density: bool


def export(
    trained: TrainedModel,
    path: Path,
    *,
    input_shape: tuple[int, ...],
    temperature: float = 1.0,
    feature_names: Sequence[str] = (),
    cluster_names: Sequence[str] = (),
) -> Agreement:
    """Write a trained model as one ONNX file, for batches of any size.

        x -> probabilities = softmax f(x) / T,   energy = E(x),   log_density = log p(x)

    Input and outputs are float64, as in `TrainedModel.predict`; the encoder computes in float32.

    Args:
        trained: the model.
        path: the file to write.
        input_shape: the shape of one point in the user's units: (d,), (H, W) or (C, H, W).
        temperature: the temperature T that calibrates the probabilities.
        feature_names: names of the input columns, stored in the file; empty if there are none.
        cluster_names: names of the clusters, stored in the file; empty if there are none.

    Returns:
        The largest differences between the file and PyTorch.

    Raises:
        GediError: if onnx, onnxruntime or onnxscript is not installed.
        RunError: if ONNX cannot express the encoder, if the file's outputs differ from those of
            PyTorch, or if the file cannot be written.
    """
    onnx, runtime = load_tools()
    if not path.parent.is_dir():
        raise RunError(f"{path}: the folder {path.parent} does not exist")
    graph = _Graph(trained, temperature).eval()
    model = _traced(graph, input_shape)
    _strip(model)
    onnx.helper.set_model_props(
        model, _facts(trained, feature_names, cluster_names, has_density=graph.has_density)
    )
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    agreement = _compared(content, runtime, trained, graph, input_shape)
    try:
        with beside(path) as partial:
            partial.write_bytes(content)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error
    return agreement


class _Graph(nn.Module):
    """The module that is exported: from points in the user's units to the outputs of the file.

    Scaling, head and base compute in float64: float32 would lose a small spread around a large
    value, and energies are differences of large numbers. The encoder computes in float32, because
    ONNX runtimes have no convolutions in float64.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, trained: TrainedModel, temperature: float) -> None:
        super().__init__()
        model = copy.deepcopy(trained.model).cpu().double()
        self.encoder = model.encoder.float()
        self.model, self.base = model, model.base
        self.register_buffer("shift", trained.scaling.shift)
        self.register_buffer("scale", trained.scaling.scale)
        self.temperature = temperature
        known = trained.normalizer is not None and trained.normalizer.trusted
        self.has_density = known
        self.offset = trained.scaling.log_det
        if trained.normalizer is not None:
            self.offset -= trained.normalizer.value

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        z = (x.flatten(1) - self.shift) / self.scale
        logits = self.model.read_out(self.encoder(self.model.encoder_input(z).float()).double())
        probabilities = (logits / self.temperature).softmax(-1)
        energy = energy_of_logits(logits)
        if self.base is not None:
            energy = energy - self.base(z)
        if not self.has_density:
            return probabilities, energy
        return probabilities, energy, self.offset - energy


def output_names(*, has_density: bool) -> list[str]:
    """The names of the file's outputs, in order."""
    return ["probabilities", "energy", *(["log_density"] if has_density else [])]


def load_tools() -> tuple[Any, Any]:
    """Import the modules onnx and onnxruntime.

    Raises:
        GediError: if one of them is not installed, or onnxscript, which torch.onnx needs.
    """
    try:
        import onnx  # noqa: PLC0415 - an extra
        import onnxruntime  # noqa: PLC0415
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        raise GediError(
            "export needs onnx, onnxruntime and onnxscript: pip install 'gedi[export]'"
        ) from error
    return onnx, onnxruntime


def _traced(graph: _Graph, input_shape: tuple[int, ...]) -> Any:
    """The graph as an ONNX model.

    Raises:
        RunError: if ONNX cannot express the encoder.
    """
    try:
        with _quiet():
            program = torch.onnx.export(
                graph,
                (torch.zeros(2, *input_shape, dtype=torch.float64),),
                input_names=["x"],
                output_names=output_names(has_density=graph.has_density),
                dynamic_shapes={"x": {0: torch.export.Dim("n")}},
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, torch.onnx.OnnxExporterError) as error:
        raise RunError(f"the encoder cannot be written as ONNX: {_cause(error)}") from error
    assert program is not None  # always returned with dynamo=True
    return program.model_proto


def _cause(error: BaseException) -> str:
    """The first line of the error at the start of a chain of causes."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch's log messages and warnings about its own code and packages not needed here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)


def _strip(model: Any) -> None:
    """Remove what torch stores about the source code, such as paths on this machine."""
    graph = model.graph
    for part in (
        model,
        graph,
        *graph.node,
        *graph.initializer,
        *graph.input,
        *graph.output,
        *graph.value_info,
    ):
        del part.metadata_props[:]
        part.doc_string = ""


def _facts(
    trained: TrainedModel,
    feature_names: Sequence[str],
    cluster_names: Sequence[str],
    *,
    has_density: bool,
) -> dict[str, str]:
    """The metadata of the file; lists and numbers are written as JSON."""
    facts: dict[str, Any] = {"gedi_version": gedi.__version__}
    if feature_names:
        facts["feature_names"] = json.dumps(list(feature_names))
    if cluster_names:
        facts["cluster_names"] = json.dumps(list(cluster_names))
    if has_density and trained.normalizer is not None:
        facts["log_normalizer"] = json.dumps(trained.normalizer.value)
        facts["log_normalizer_error"] = json.dumps(trained.normalizer.error)
    return facts


def _compared(
    content: bytes,
    runtime: Any,
    trained: TrainedModel,
    graph: _Graph,
    input_shape: tuple[int, ...],
) -> Agreement:
    """Compare the file with PyTorch in float64, on uniform noise in the box.

    Raises:
        RunError: if they differ by more than the tolerance.
    """
    noise = trained.box.uniform((_ROWS,), Generator().manual_seed(0))
    x = trained.scaling.inverse(noise)
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def given(rows: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        found: list[NDArray[np.float64]] = session.run(None, {"x": rows})
        return found

    points = x.reshape(_ROWS, *input_shape)
    # One point alone and the others in a batch, to check that any batch size works.
    alone, rest = given(points[:1]), given(points[1:])
    found = [np.concatenate(parts) for parts in zip(alone, rest, strict=True)]
    expected = (trained.logits(x) / graph.temperature).softmax(-1).numpy()
    energy = trained.predict(x).energy
    differences = [np.abs(found[0] - expected).max(), _relative(found[1], energy)]
    if graph.has_density:
        differences.append(_relative(found[2], graph.offset - energy))
    names = output_names(has_density=graph.has_density)
    for name, difference in zip(names, differences, strict=True):
        if not difference <= TOLERANCE:  # also true for NaN
            raise RunError(
                f"the file is not written, because its {name} differ by {difference:.2g} from "
                f"PyTorch's: expected at most {TOLERANCE:g}; the encoder must not draw random "
                "numbers or depend on values that tracing turns into constants"
            )
    return Agreement(_ROWS, float(differences[0]), float(differences[1]), graph.has_density)


def _relative(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    return float((np.abs(found - expected) / np.maximum(1.0, np.abs(expected))).max())
