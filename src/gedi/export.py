"""Export of a trained model as one ONNX file, which runs without gedi or torch.

This needs the extra `export`. The graph takes points in the user's units, or the columns of a
table, and returns what `gedi predict` writes: clusters, densities and p-values of outliers. The
file is written only if its outputs agree with those of PyTorch.
"""

import copy
import json
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

import gedi
from gedi.data.cells import MISSING as MARKS
from gedi.data.columns import MISSING, Column, ColumnPlan, level_codes, level_places
from gedi.errors import GediError, RunError
from gedi.files import beside
from gedi.model import energy_of_logits
from gedi.model.image_outliers import ImageOutlierEnergy
from gedi.model.margins import FAR
from gedi.model.outlier_energy import OutlierEnergy
from gedi.training.trained import FARTHEST, TrainedModel, confidence

__all__ = ["TOLERANCE", "Agreement", "export", "load_tools"]

TOLERANCE = 1e-4
_OPSET, _ML_OPSET = 20, 3
_INT64, _STRING = 7, 8  # types of tensors in ONNX files
_ROWS = 64  # points of noise on which the file is compared with PyTorch
_ABSENT, _UNKNOWN = 0.1, "an unknown level"  # among noise: share of missing values, and a level
_ALPHA = 0.05  # of `gedi.training.trained.confidence`
# The k rows (t, m, d) that are nearest to points (t, n, d), (t, n, k), in the sum over columns of
# differences without their sign, or of their squares. The distances of one reference at a time are
# added up column by column, as all together fill memory.
_MEASURES = {"Closest": "Abs (difference)", "ClosestBySquares": "Mul (difference, difference)"}
_CLOSEST = """
<domain: "gedi", opset_import: ["" : 20]>
$name (z, rows, k) => (distances, places) {
    distances, places = Scan <num_scan_inputs = 2, body = in_one_reference (
        double[n, d] points, double[m, d] others
    ) => (double[n, k] least, int64[n, k] at) {
        n = Shape <start = 0, end = 1> (points)
        m = Shape <start = 0, end = 1> (others)
        shape = Concat <axis = 0> (n, m)
        zero = Constant <value = double {0.0}> ()
        zeros = Expand (zero, shape)
        columns = Transpose <perm = [1, 0]> (points)
        of_rows = Transpose <perm = [1, 0]> (others)
        far = Scan <num_scan_inputs = 2, body = with_one_column (
            double[n, m] total, double[n] column, double[m] of_row
        ) => (double[n, m] sum) {
            last = Constant <value = int64[1] {1}> ()
            point = Unsqueeze (column, last)
            difference = Sub (point, of_row)
            size = $measure
            sum = Add (total, size)
        }> (zeros, columns, of_rows)
        least, at = TopK <largest = 0> (far, k)
    }> (z, rows)
}
"""
_OUTLIERS = ("outlier_score", "p_value", "confidence")


class Agreement(NamedTuple):
    """How closely the file agrees with PyTorch, on uniform noise in the box.

    Attributes:
        rows: the number of points.
        differences: the largest difference of each output of the file; relative to the size of
            energies, scores and log-densities in nats where that exceeds one; of `cluster`, what
            its probability lacks to the largest one.
        left_out: the outputs that the file does not have, and why.
    """

    rows: int
    differences: dict[str, float]
    left_out: dict[str, str]


def export(
    trained: TrainedModel,
    path: Path,
    *,
    input_shape: tuple[int, ...],
    temperature: float = 1.0,
    feature_names: Sequence[str] = (),
    cluster_names: Sequence[str] = (),
    columns: ColumnPlan | None = None,
) -> Agreement:
    """Write a trained model as one ONNX file, for batches of any size.

        x -> cluster = argmax f(x),   probabilities = softmax f(x) / T,   energy = E(x),
             log_density = log p(x),   outlier_score,   p_value,   confidence

    Points and outputs are float64, and `cluster` is int64; the encoder computes in float32. A point
    with a value that is not finite has the cluster -1, and NaN as all other outputs.

    With `columns`, x holds the columns of the table that are numbers, flags (0 and 1) and dates
    (days since 1970-01-01), NaN where they are missing. A second input, `categories`, holds those
    that are categories as text, if there are any. The file makes the features of both, and fills in
    what is missing, as `ColumnPlan.apply` does.

    The file has no `log_density` if log Z is not known accurately enough, and neither score nor
    p-value of outliers for images, for which they need a gradient that ONNX cannot express.

    Args:
        trained: the model.
        path: the file to write.
        input_shape: the shape of one point in the user's units: (d,), (H, W) or (C, H, W).
        temperature: the temperature T that calibrates the probabilities.
        feature_names: names of the input columns, stored in the file; empty if there are none.
        cluster_names: names of the clusters, stored in the file; empty if there are none.
        columns: what was done with the columns of a table; None if x holds the features.

    Returns:
        How closely the file agrees with PyTorch, and what it lacks.

    Raises:
        GediError: if onnx, onnxruntime or onnxscript is not installed.
        RunError: if ONNX cannot express the encoder, if the file's outputs differ from those of
            PyTorch, or if the file cannot be written.
    """
    onnx, runtime = load_tools()
    if not path.parent.is_dir():
        raise RunError(f"{path}: the folder {path.parent} does not exist")
    graph = _Graph(trained, temperature, columns).eval()
    model = _traced(graph, input_shape)
    _strip(model)
    if graph.columns is not None and graph.columns.categories:
        _read_words(onnx.helper, model, graph.columns.categories)
    if graph.outliers is not None:
        operator = graph.outliers.energies.operator
        definition = Template(_CLOSEST).substitute(name=operator, measure=_MEASURES[operator])
        model.functions.append(onnx.parser.parse_function(definition))
    onnx.helper.set_model_props(model, _facts(trained, graph, feature_names, cluster_names))
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    agreement = _compared(content, runtime, trained, graph, input_shape)
    try:
        with beside(path) as partial:
            partial.write_bytes(content)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error
    return agreement


class _Columns(nn.Module):
    """The features of a table, (n, d), as `ColumnPlan.apply` makes them of the same columns.

    Args:
        plan: what is done with each column.

    Attributes:
        numbers: the columns in x, (n, k): numbers, flags and dates.
        categories: the columns in codes, (n, m).
    """

    fill: Tensor
    marked: Tensor
    category: Tensor
    place: Tensor
    order: Tensor

    def __init__(self, plan: ColumnPlan) -> None:
        super().__init__()
        self.numbers = [column for column in plan.used if column.kind != "category"]
        self.categories = [column for column in plan.used if column.kind == "category"]
        fill = [math.nan if column.fill is None else column.fill for column in self.numbers]
        marked = [i for i, column in enumerate(self.numbers) if column.mark_missing]
        pairs = [(j, k) for j, column in enumerate(self.categories) for k in level_places(column)]
        # The places of the features among the values, the marks and the levels.
        values, marks = iter(range(len(fill))), iter(range(len(fill), len(fill) + len(marked)))
        levels = iter(range(len(fill) + len(marked), len(fill) + len(marked) + len(pairs)))
        order: list[int] = []
        for column in plan.used:
            if column.kind == "category":
                order += [next(levels) for _ in level_places(column)]
            else:
                order += [next(values), *([next(marks)] if column.mark_missing else [])]
        self.register_buffer("fill", torch.tensor(fill, dtype=torch.float64))
        self.register_buffer("marked", torch.tensor(marked, dtype=torch.int64))
        self.register_buffer("category", torch.tensor([j for j, _ in pairs], dtype=torch.int64))
        self.register_buffer("place", torch.tensor([k for _, k in pairs], dtype=torch.int64))
        self.register_buffer("order", torch.tensor(order, dtype=torch.int64))

    def forward(self, x: Tensor, codes: Tensor | None) -> Tensor:
        missing = x.isnan()
        parts = [torch.where(missing, self.fill, x)]
        if len(self.marked):
            parts.append(missing[:, self.marked].to(x))
        if codes is not None:
            parts.append((codes[:, self.category] == self.place).to(x))
        return torch.cat(parts, 1)[:, self.order]


class _Graph(nn.Module):
    """The module that is exported: from points in the user's units to the outputs of the file.

    Scaling, head, base and outlier energy compute in float64: float32 would lose a small spread
    around a large value, and energies are differences of large numbers. The encoder computes in
    float32, because ONNX runtimes have no convolutions in float64.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self, trained: TrainedModel, temperature: float, columns: ColumnPlan | None
    ) -> None:
        super().__init__()
        model = copy.deepcopy(trained.model).cpu().double()
        self.encoder = model.encoder.float()
        self.model, self.base = model, model.base
        self.columns = None if columns is None else _Columns(columns)
        self.register_buffer("shift", trained.scaling.shift)
        self.register_buffer("scale", trained.scaling.scale)
        self.temperature = temperature
        self.left_out = _left_out(trained)
        self.offset = trained.scaling.log_det
        if trained.normalizer is not None:
            self.offset -= trained.normalizer.value
        self.outliers = None
        if trained.outliers is not None and "p_value" not in self.left_out:
            self.outliers = _Outliers(trained.outliers)
        every = ("cluster", "probabilities", "energy", "log_density", *_OUTLIERS)
        self.outputs = [name for name in every if name not in self.left_out]

    def forward(self, x: Tensor, codes: Tensor | None = None) -> tuple[Tensor, ...]:
        features = x.flatten(1) if self.columns is None else self.columns(x, codes)
        valid = features.isfinite().all(1)
        features = torch.where(valid[:, None], features, self.shift)
        z = ((features - self.shift) / self.scale).clamp(-FARTHEST, FARTHEST)
        given = self.model.encoder_input(z).clamp(-FAR, FAR).float()
        logits = self.model.read_out(self.encoder(given).double())
        clusters, probabilities = logits.argmax(-1), (logits / self.temperature).softmax(-1)
        energy = energy_of_logits(logits)
        if self.base is not None:
            energy = energy - self.base(z)
        found = {"probabilities": probabilities, "energy": energy}
        found["log_density"] = self.offset - energy
        if self.outliers is not None:
            scores = self.outliers(z, clusters, probabilities)
            found |= dict(zip(_OUTLIERS, scores, strict=True))
        outputs = {"cluster": torch.where(valid, clusters, -1)}
        for name, values in found.items():
            is_valid = valid[:, None] if values.dim() == 2 else valid
            outputs[name] = torch.where(is_valid, values, math.nan)
        return tuple(outputs[name] for name in self.outputs)


class _Outliers(nn.Module):
    """Score, p-value and confidence of points, (n,) each, as of `TrainedModel`.

    Args:
        outliers: the outlier energy; its held-out energies calibrate the p-values.
    """

    held_out: Tensor
    clusters: Tensor

    def __init__(self, outliers: OutlierEnergy) -> None:
        super().__init__()
        self.energies = outliers.stacked()
        self.register_buffer("held_out", outliers.held_out)
        self.register_buffer("clusters", outliers.clusters)

    def forward(self, z: Tensor, clusters: Tensor, probabilities: Tensor) -> tuple[Tensor, ...]:
        energy = self.energies(z).mean(0)
        # ONNX knows no searchsorted: every held-out energy is compared.
        above = self.held_out.to(z) >= energy[:, None]
        same = self.clusters == clusters[:, None]
        p_value = (1 + above.sum(1)).double() / (1 + len(self.held_out))
        within = (1 + (above & same).sum(1)).double() / (1 + same.sum(1))
        sure = probabilities.amax(1) * (within / _ALPHA).clamp(max=1.0)
        return -energy, p_value, sure


def _left_out(trained: TrainedModel) -> dict[str, str]:
    """The outputs that a file of this model cannot have, and why."""
    found: dict[str, str] = {}
    if trained.normalizer is None or not trained.normalizer.trusted:
        found["log_density"] = "log Z is not known accurately enough"
    reason = None
    if trained.outliers is None:
        reason = "the model has no outlier energy"
    elif isinstance(trained.outliers, ImageOutlierEnergy):
        reason = "for images, it needs a gradient that ONNX cannot express: use `gedi predict`"
    return found if reason is None else found | dict.fromkeys(_OUTLIERS, reason)


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
    batch = torch.export.Dim("n")
    given = {"x": torch.zeros(2, *input_shape, dtype=torch.float64)}
    if graph.columns is not None:
        given["x"] = torch.zeros(2, len(graph.columns.numbers), dtype=torch.float64)
        if graph.columns.categories:
            given["codes"] = torch.zeros(2, len(graph.columns.categories), dtype=torch.int64)
    try:
        with _quiet():
            program = torch.onnx.export(
                graph,
                tuple(given.values()),
                input_names=list(given),
                output_names=graph.outputs,
                dynamic_shapes={name: {0: batch} for name in given},
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, torch.onnx.OnnxExporterError) as error:
        raise RunError(f"the encoder cannot be written as ONNX: {_cause(error)}") from error
    assert program is not None  # always returned with dynamo=True
    return program.model_proto


def _read_words(helper: Any, model: Any, categories: Sequence[Column]) -> None:
    """Replace the input `codes` of a model by `categories`, the levels as text, (n, m)."""
    graph = model.graph
    (codes,) = (each for each in graph.input if each.name == "codes")
    rows = codes.type.tensor_type.shape.dim[0].dim_param
    graph.input.remove(codes)
    shape = [rows, len(categories)]
    nodes = []
    for j, column in enumerate(categories):
        words = _codes_of_words(column)
        rest = level_codes(column)[1]
        place = helper.make_tensor(f"category_{j}", _INT64, [1], [j])
        graph.initializer.append(place)
        nodes += [
            helper.make_node("Gather", ["categories", place.name], [f"level_{j}"], axis=1),
            helper.make_node(
                "LabelEncoder",
                [f"level_{j}"],
                [f"code_{j}"],
                domain="ai.onnx.ml",
                keys_strings=list(words),
                values_int64s=list(words.values()),
                default_int64=rest,
            ),
        ]
    together = [f"code_{j}" for j in range(len(categories))]
    nodes.append(helper.make_node("Concat", together, ["codes"], axis=1))
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("categories", _STRING, shape))
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", _ML_OPSET))


def _codes_of_words(column: Column) -> dict[str, int]:
    """The codes of the levels of a category, and of the usual marks of missing values."""
    codes, rest = level_codes(column)
    marks = [form for mark in MARKS for form in (mark, mark.upper(), mark.capitalize())]
    return dict.fromkeys([*marks, "NaN", "NaT"], codes.get(MISSING, rest)) | codes


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
    graph: _Graph,
    feature_names: Sequence[str],
    cluster_names: Sequence[str],
) -> dict[str, str]:
    """The metadata of the file; all but the version is written as JSON."""
    facts: dict[str, Any] = {}
    if feature_names:
        facts["feature_names"] = list(feature_names)
    if graph.columns is not None:
        facts["x"] = [column.name for column in graph.columns.numbers]
        facts["categories"] = [column.name for column in graph.columns.categories]
    if cluster_names:
        facts["cluster_names"] = list(cluster_names)
    if "log_density" in graph.outputs and trained.normalizer is not None:
        facts["log_normalizer"] = trained.normalizer.value
        facts["log_normalizer_error"] = trained.normalizer.error
    if graph.left_out:
        facts["left_out"] = graph.left_out
    written = {name: json.dumps(value) for name, value in facts.items()}
    return {"gedi_version": gedi.__version__} | written


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
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    inputs, features = _noise(trained, graph, input_shape)
    # One point alone and the others in a batch, to check that any batch size works.
    parts = [
        session.run(None, {name: values[part] for name, values in inputs.items()})
        for part in (slice(1), slice(1, None))
    ]
    found = dict(zip(graph.outputs, map(np.concatenate, zip(*parts, strict=True)), strict=True))
    expected = _expected(trained, graph, features, found)
    differences: dict[str, float] = {}
    for name in graph.outputs:
        away = np.abs(found[name] - expected[name]) if name != "cluster" else expected[name]
        if name in ("energy", "log_density", "outlier_score"):
            away = away / np.maximum(1.0, np.abs(expected[name]))
        differences[name] = float(away.max())
    for name, difference in differences.items():
        if not difference <= TOLERANCE:  # also true for NaN
            raise RunError(
                f"the file is not written, because its {name} differ by {difference:.2g} from "
                f"PyTorch's: expected at most {TOLERANCE:g}; the encoder must not draw random "
                "numbers or depend on values that tracing turns into constants"
            )
    return Agreement(_ROWS, differences, graph.left_out)


def _noise(
    trained: TrainedModel, graph: _Graph, input_shape: tuple[int, ...]
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """Inputs of the file that are noise, and the features that they stand for, (n, d)."""
    z = trained.box.uniform((_ROWS,), Generator().manual_seed(0))
    features = trained.scaling.inverse(z)
    if graph.columns is None:
        return {"x": features.reshape(_ROWS, *input_shape)}, features
    columns, rng = graph.columns, np.random.default_rng(0)
    n_numbers = len(columns.numbers)
    x = np.full((_ROWS, n_numbers), np.nan)
    is_value = columns.order < n_numbers
    x[:, columns.order[is_value]] = features[:, is_value]
    absent = np.isfinite(columns.fill.numpy()) & (rng.random(x.shape) < _ABSENT)
    x[absent] = np.nan
    if not columns.categories:
        return {"x": x}, columns(torch.from_numpy(x), None).numpy()
    words = [_codes_of_words(column) for column in columns.categories]
    chosen = [rng.choice([*each, _UNKNOWN], _ROWS) for each in words]
    codes = [
        [known.get(word, level_codes(column)[1]) for word in some]
        for column, known, some in zip(columns.categories, words, chosen, strict=True)
    ]
    made = columns(torch.from_numpy(x), torch.tensor(codes).T).numpy()
    return {"x": x, "categories": np.array(chosen, dtype=object).T}, made


def _expected(
    trained: TrainedModel,
    graph: _Graph,
    features: NDArray[np.float64],
    found: dict[str, NDArray[Any]],
) -> dict[str, NDArray[np.float64]]:
    """What PyTorch finds; for `cluster`, what the probability of the file's clusters lacks.

    p-values are those of the file's scores: where a score is a held-out one, rounding decides.
    """
    clusters = found["cluster"]
    prediction = trained.predict(features)
    tempered = (trained.logits(features, with_base=False) / graph.temperature).softmax(-1).numpy()
    own = np.take_along_axis(tempered, clusters[:, None], 1)[:, 0]
    expected = {"cluster": tempered.max(1) - own, "probabilities": tempered}
    expected |= {"energy": prediction.energy, "log_density": prediction.log_density}
    if graph.outliers is None:
        return expected
    scores = found["outlier_score"]
    sure = confidence(tempered, trained.outlier_p_values(scores, clusters))
    calibrated = trained.outlier_scores(features), trained.outlier_p_values(scores), sure
    return expected | dict(zip(_OUTLIERS, calibrated, strict=True))
