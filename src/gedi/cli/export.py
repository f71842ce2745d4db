"""`gedi export`."""

from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.output_files import check_target
from gedi.export import TOLERANCE, export, load_tools
from gedi.phrases import sentence_list
from gedi.runs import Run
from gedi.runs.names import given_names

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Write a trained model as an ONNX file, and print how closely it agrees with PyTorch."""
    folder = Run.open(Path(options.folder))
    target = check_target(options.out, [".onnx"], overwrite=options.overwrite)
    load_tools()  # before the model is read
    trained = folder.load_model()
    # Under a rule, cluster j is the value j.
    numbers = [] if folder.groups is None else [str(j) for j in range(trained.n_clusters)]
    agreement = export(
        trained,
        target,
        input_shape=folder.image_shape or (folder.n_features,),
        feature_names=folder.feature_names,
        cluster_names=given_names(folder.path, trained.n_clusters) or numbers,
        columns=folder.columns,
    )
    print(
        f"On {agreement.rows} points of noise, the outputs differ from PyTorch's by at most "
        f"{max(agreement.differences.values()):.1g} (allowed: {TOLERANCE:g})"
    )
    reasons = dict.fromkeys(agreement.left_out.values())
    for reason in reasons:
        names = [name for name, why in agreement.left_out.items() if why == reason]
        print(f"The file has no {sentence_list(names)}: {reason}")
    has_words = folder.columns is not None and any(
        column.kind == "category" for column in folder.columns.used
    )
    inputs = "x and categories" if has_words else "x"
    print(f"{inputs} -> {', '.join(agreement.differences)} written to {options.out}")
    return 0
