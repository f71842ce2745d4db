"""Settings in which nothing is left open: what a plan decides, and what run folders hold.

They are the classes of `gedi.settings.schema` with narrower types, so that whoever reads them needs
no second default. `None` stays only where it is a value of its own: no limit of time, a noise that
follows the step size, views of images where there are no images.
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar, get_args, get_type_hints

from gedi.errors import SettingsError
from gedi.settings.schema import (
    EncoderSettings,
    RestartSettings,
    SamplerKind,
    SamplerSettings,
    Settings,
    VeraSettings,
    ViewSettings,
    WeightSettings,
)

__all__ = [
    "CompleteSettings",
    "EncoderChoice",
    "RestartChoice",
    "SamplerChoice",
    "VeraChoice",
    "ViewChoice",
    "WeightChoice",
    "complete",
]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class WeightChoice(WeightSettings):
    """Weights of the bound, all of them numbers; `max_contrast` None is no bound."""

    gen: float
    prior: float
    start: float


@dataclass(frozen=True, kw_only=True)
class EncoderChoice(EncoderSettings):
    """The network; `hidden` is empty for kinds that have widths of their own."""

    kind: str
    hidden: list[int]
    base: bool


@dataclass(frozen=True, kw_only=True)
class VeraChoice(VeraSettings):
    """The amortised sampler."""

    latents: int
    n_importance: int


@dataclass(frozen=True, kw_only=True)
class SamplerChoice(SamplerSettings):
    """Chains, and what else makes negatives."""

    kind: SamplerKind
    n_steps: int
    every: int
    buffer_size: int
    vera: VeraChoice


@dataclass(frozen=True, kw_only=True)
class ViewChoice(ViewSettings):
    """Views; strengths of those of images are None where the points are vectors."""

    adversarial: float
    neighbours: int


@dataclass(frozen=True, kw_only=True)
class RestartChoice(RestartSettings):
    """Trainings side by side."""

    pool: bool
    n: int
    kmeans: int
    iterations: int
    gen: bool
    warmup: int
    ramp: int
    score_matching: int


@dataclass(frozen=True, kw_only=True)
class CompleteSettings(Settings):
    """All settings of a training, with nothing left open."""

    n_clusters: int
    max_iter: int
    batch_size: int
    learning_rate: float
    gen_slowdown: float
    data_noise: float
    weights: WeightChoice
    encoder: EncoderChoice
    sampler: SamplerChoice
    views: ViewChoice
    restarts: RestartChoice


def complete(settings: Settings) -> CompleteSettings:
    """The same settings, as complete ones.

    Raises:
        SettingsError: naming the first setting that is open.
    """
    if settings.encoder.hidden is None and settings.encoder.kind not in (None, "mlp"):
        settings = replace(settings, encoder=replace(settings.encoder, hidden=[]))
    return _narrowed(CompleteSettings, settings, "")


def _narrowed(kind: type[T], group: Any, path: str) -> T:
    """One group of settings, and those below it, as the complete kind."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for each in fields(kind):  # type: ignore[arg-type]
        value, hint, name = getattr(group, each.name), hints[each.name], f"{path}{each.name}"
        if is_dataclass(value):
            value = _narrowed(hint, value, f"{name}.")
        elif value is None and type(None) not in get_args(hint):
            raise SettingsError(f"setting {name}: is left open, which a training decides")
        values[each.name] = value
    return kind(**values)
