"""The network: a classifier read as posterior and energy, encoders, the base density, scaling."""

from gedi.model.classifier import (
    EnergyClassifier,
    ResidualClassifier,
    SamplesDirectly,
    energy_of_logits,
    member,
    number_by_size,
    renumber_head,
    renumbered,
    weight_average,
)
from gedi.model.linear import LinearClassifier

__all__ = [
    "EnergyClassifier",
    "LinearClassifier",
    "ResidualClassifier",
    "SamplesDirectly",
    "energy_of_logits",
    "member",
    "number_by_size",
    "renumber_head",
    "renumbered",
    "weight_average",
]
