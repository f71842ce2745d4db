"""Scikit-learn estimators that cluster, score and sample, and a scorer for searches."""

from gedi.estimators.classifier import GEDIClassifier
from gedi.estimators.clusterer import GEDI
from gedi.estimators.scorers import collapse_gap_scorer
from gedi.estimators.sweep import ClusterSweep
from gedi.estimators.symbols import GEDISymbols

__all__ = ["GEDI", "ClusterSweep", "GEDIClassifier", "GEDISymbols", "collapse_gap_scorer"]
