"""Pictures of data, models and trainings.

Each function takes arrays and callables, draws on the given axes, or on new ones if they are None,
and returns the axes. The displays draw models: an estimator, or the model of a run.

    from gedi import plot

    plot.DensityDisplay.from_estimator(model, X)
    plot.history(None, model.history_, ["gap"])
"""

from gedi.plot.calibration_curves import Calibration, calibration, reliability
from gedi.plot.cluster_numbers import sweep_stability, sweep_told
from gedi.plot.clusters import cluster_sizes, confusion
from gedi.plot.detection import auroc, ood_histogram, roc
from gedi.plot.displays import (
    DensityDisplay,
    OutlierDisplay,
    RegionsDisplay,
    ReliabilityDisplay,
)
from gedi.plot.feature_boxplots import feature_boxes
from gedi.plot.histograms import energy_histogram
from gedi.plot.image_grids import image_grid, samples
from gedi.plot.metrics import history
from gedi.plot.plane import decision_regions, energy_landscape, points
from gedi.plot.style import (
    INK,
    MAX_LABEL,
    MUTED,
    OKABE_ITO,
    cluster_colors,
    cycle,
    legend,
    short_name,
    strokes,
    tidy,
)

__all__ = [
    "INK",
    "MAX_LABEL",
    "MUTED",
    "OKABE_ITO",
    "Calibration",
    "DensityDisplay",
    "OutlierDisplay",
    "RegionsDisplay",
    "ReliabilityDisplay",
    "auroc",
    "calibration",
    "cluster_colors",
    "cluster_sizes",
    "confusion",
    "cycle",
    "decision_regions",
    "energy_histogram",
    "energy_landscape",
    "feature_boxes",
    "history",
    "image_grid",
    "legend",
    "ood_histogram",
    "points",
    "reliability",
    "roc",
    "samples",
    "short_name",
    "strokes",
    "sweep_stability",
    "sweep_told",
    "tidy",
]
