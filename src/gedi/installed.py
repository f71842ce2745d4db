"""What is installed: versions, and whether what the optional features need is there.

Packages are looked up, not imported, so that the answer comes at once.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

__all__ = ["CORE", "EXTRAS", "Extra", "compiler", "version_of"]

CORE = ("torch", "numpy", "scikit-learn", "lightning-fabric", "kornia", "pandas", "pyarrow")
"""Packages whose versions matter most."""


@dataclass(frozen=True)
class Extra:
    """An optional feature.

    Args:
        name: of the extra of the package.
        purpose: what it is for.
        packages: what it needs.
    """

    name: str
    purpose: str
    packages: Sequence[str]

    @property
    def missing(self) -> list[str]:
        """The packages that are not there."""
        return [package for package in self.packages if version_of(package) is None]


EXTRAS = (
    Extra("rules", "rules in logic", ("klaycircuits", "pysdd")),
    Extra("images", "sets of the Hugging Face hub, FID", ("datasets", "torchmetrics")),
    Extra("hub", "estimators on the Hugging Face hub", ("huggingface_hub",)),
    Extra("inception", "Inception's features", ("torch-fidelity",)),
    Extra("explore", "gedi explore, a page on a run", ("gradio",)),
    Extra("completion", "completion of commands in shells", ("shtab",)),
    Extra("export", "models as ONNX files", ("onnx", "onnxruntime", "onnxscript")),
)


def version_of(package: str) -> str | None:
    """The version of an installed package; None if it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def compiler() -> str | None:
    """The path of a C++ compiler, of which torch makes use on a CPU; None if there is none."""
    names = [os.environ.get("CXX", "g++"), "g++", "clang++"]
    return next(filter(None, map(shutil.which, names)), None)
