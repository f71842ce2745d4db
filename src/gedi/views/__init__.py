"""Views T(x'|x): random small changes of a point that should not change its cluster."""

from gedi.views.vectors import (
    FeatureDropout,
    GaussianNoise,
    LocalScale,
    Neighbour,
    Own,
    Positives,
    Split,
    View,
    VirtualAdversarial,
    plugged_view,
)

__all__ = [
    "FeatureDropout",
    "GaussianNoise",
    "LocalScale",
    "Neighbour",
    "Own",
    "Positives",
    "Split",
    "View",
    "VirtualAdversarial",
    "plugged_view",
]
