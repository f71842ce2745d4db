"""`gedi export`."""

from pathlib import Path

from jsonargparse import Namespace

from gedi.cli.output_files import check_target
from gedi.export import TOLERANCE, export, load_tools, output_names
from gedi.runs import Run

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Write a trained model as an ONNX file, and print how closely it agrees with PyTorch."""
    folder = Run.open(Path(options.folder))
    target = check_target(options.out, [".onnx"], overwrite=options.overwrite)
    load_tools()  # before the model is read
    trained = folder.load_model()
    agreement = export(
        trained,
        target,
        input_shape=folder.image_shape or (folder.n_features,),
        feature_names=folder.feature_names,
        # Under a rule, cluster j is the value j.
        cluster_names=[] if folder.groups is None else list(map(str, range(trained.n_clusters))),
    )
    outputs = output_names(has_density=agreement.has_density)
    print(
        f"On {agreement.rows} points of noise, probabilities differ from PyTorch's by at most "
        f"{agreement.probabilities:.1g}, energies by {agreement.energy:.1g} (allowed: "
        f"{TOLERANCE:g})"
    )
    if not agreement.has_density:
        print("log Z is not known accurately enough, so the file has no output log_density")
    print(f"x -> {', '.join(outputs)} written to {options.out}")
    return 0
