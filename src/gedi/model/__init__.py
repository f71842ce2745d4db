"""The network: a classifier read as posterior and energy, encoders, the base density, scaling."""

from gedi.model.classifier import (
    EnergyClassifier,
    energy_of_logits,
    member,
    number_by_size,
    renumber_head,
    renumbered,
    weight_average,
)

__all__ = [
    "EnergyClassifier",
    "energy_of_logits",
    "member",
    "number_by_size",
    "renumber_head",
    "renumbered",
    "weight_average",
]
