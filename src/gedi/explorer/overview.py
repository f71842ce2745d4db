"""All clusters at a glance: whether they can be trusted, and one card each."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gedi.evaluation.words import typical_words
from gedi.explorer.desk import Desk
from gedi.explorer.figures import tiles, tiles_of
from gedi.report.summary import verdict
from gedi.runs.diagnosis import diagnose

__all__ = ["cards", "verdict_text"]

_FEATURES = 3  # in the words of a card
_CLEAR = 0.5  # standard deviations from the mean from which on a feature stands out


def verdict_text(desk: Desk) -> str:
    """Whether the clusters can be trusted, and what to change if not, in sentences."""
    diagnosis = diagnose(desk.run)
    judged = verdict(diagnosis.signs)
    trust = judged.trust
    lines = [f"{judged.title} ({trust.name} {trust.value}). {judged.text}"]
    return "\n".join([*lines, *(f"- {symptom}" for symptom in diagnosis.symptoms)])


def cards(desk: Desk) -> Any:
    """One card for each cluster: its name and size, with its most typical image or its features."""
    population, groups = desk.population, desk.names.groups
    into = np.array(desk.names.into)[population.prediction.clusters]
    sizes = [int(np.sum(into == group)) for group in groups]
    shares = [size / max(len(into), 1) for size in sizes]
    if desk.has_pictures:
        named = zip(map(desk.names.of, groups), sizes, strict=True)
        captions = [f"{name}: {size:,}" for name, size in named]
        if desk.has_features:
            places = [_likeliest(desk, into == group) for group in groups]
            found = zip(tiles_of(population, places), captions, strict=True)
            return [(picture, caption) for (picture, _), caption in found]
        return tiles(population, [_typical(desk, into == group) for group in groups], captions)
    return pd.DataFrame(
        {
            "cluster": [desk.names.of(group) for group in groups],
            "points": sizes,
            "share": [f"{share:.0%}" for share in shares],
            "what stands out": [_words(desk, group, into == group) for group in groups],
        }
    )


def _typical(desk: Desk, members: NDArray[np.bool_]) -> NDArray[Any]:
    """The likeliest point of a cluster; for an empty one, the least value everywhere."""
    x = desk.population.dataset.x
    if not members.any():
        return np.full(x.shape[1], (desk.population.dataset.value_range or (0.0, 1.0))[0])
    row: NDArray[Any] = x[_likeliest(desk, members)]
    return row


def _likeliest(desk: Desk, members: NDArray[np.bool_]) -> int:
    """The place of the likeliest point of a cluster."""
    values = np.where(members, desk.population.prediction.log_density, -np.inf)
    return int(values.argmax())


def _words(desk: Desk, group: int, members: NDArray[np.bool_]) -> str:
    """What sets a cluster apart: further typical words, or features in which it differs most."""
    if not members.any():
        return "no points"
    texts = desk.population.dataset.texts
    if texts is not None:
        name = desk.names.of(group)
        words = typical_words(texts, members.astype(np.int64), 2)[1]
        return ", ".join(word for word in words if word not in name)
    x = desk.population.dataset.x
    z = (x[members].mean(0) - x.mean(0)) / np.maximum(x.std(0), 1e-12)
    most = np.argsort(-np.abs(z), kind="stable")[:_FEATURES]
    names = desk.population.feature_names
    said = [f"{'high' if z[j] > 0 else 'low'} {names[j]}" for j in most if abs(z[j]) > _CLEAR]
    return ", ".join(said) or "close to the mean of all points"
