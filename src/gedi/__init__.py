"""GEDI: one network, trained without labels, that clusters, scores and generates.

Names are looked up when first used, so that the command line starts without loading torch.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "AnchoredJump": "gedi.sampling",
    "Box": "gedi.model.box",
    "DataError": "gedi.errors",
    "Dataset": "gedi.data.dataset",
    "EnergyClassifier": "gedi.model",
    "CallableRule": "gedi.rules",
    "CircuitRule": "gedi.rules",
    "ClusterSweep": "gedi.estimators",
    "Custom": "gedi.training.custom",
    "Fit": "gedi.training.session",
    "FoldRule": "gedi.rules",
    "GEDI": "gedi.estimators",
    "GEDIClassifier": "gedi.estimators",
    "GEDISymbols": "gedi.estimators",
    "GaussianBase": "gedi.model.base",
    "GediError": "gedi.errors",
    "Hook": "gedi.training.hooks",
    "ImageFeatures": "gedi.features",
    "Langevin": "gedi.sampling",
    "MLP": "gedi.model.encoders",
    "Method": "gedi.methods",
    "ReplayBuffer": "gedi.sampling",
    "NormalizerWarning": "gedi.errors",
    "PluginError": "gedi.errors",
    "Rule": "gedi.rules",
    "RuleError": "gedi.errors",
    "RunError": "gedi.errors",
    "Session": "gedi.training.session",
    "Settings": "gedi.settings",
    "SettingsError": "gedi.errors",
    "Terms": "gedi.objective",
    "TextFeatures": "gedi.features",
    "TrainedModel": "gedi.training.trained",
    "Weights": "gedi.objective",
    "all_different": "gedi.rules",
    "collapse_gap": "gedi.objective",
    "collapse_gap_scorer": "gedi.estimators",
    "feature_network": "gedi.features",
    "fit": "gedi.training.session",
    "gedi_terms": "gedi.methods",
    "load": "gedi.data.source",
    "load_stream": "gedi.data.shards",
    "open_rows": "gedi.data.rows",
    "plan": "gedi.training.plan",
    "predict_to_file": "gedi.runs.predictions",
    "start": "gedi.training.session",
    "sum_rule": "gedi.rules",
}

__all__ = list(_HOMES)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gedi' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
