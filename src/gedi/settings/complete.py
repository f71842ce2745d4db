"""Complete settings, in which every default is decided; plans and run folders hold them.

They are the classes of `gedi.settings.schema` with narrower types, so that code that reads them
needs no further defaults. `None` remains only as a value of its own: no time limit, a noise that
follows the step size, views of images for data that are not images.
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
    """Complete weights of the bound; a `max_contrast` of None is no limit."""

    gen: float
    prior: float
    start: float


@dataclass(frozen=True, kw_only=True)
class EncoderChoice(EncoderSettings):
    """Complete settings of the network; `hidden` is empty for kinds with fixed widths."""

    kind: str
    hidden: list[int]
    base: bool
    components: int


@dataclass(frozen=True, kw_only=True)
class VeraChoice(VeraSettings):
    """Complete settings of the amortised sampler."""

    latents: int
    n_importance: int


@dataclass(frozen=True, kw_only=True)
class SamplerChoice(SamplerSettings):
    """Complete settings of the sampler."""

    kind: SamplerKind
    n_steps: int
    every: int
    buffer_size: int
    vera: VeraChoice


@dataclass(frozen=True, kw_only=True)
class ViewChoice(ViewSettings):
    """Complete settings of the views; strengths of views of images are None for vectors."""

    noise: float
    adversarial: float
    neighbours: int


@dataclass(frozen=True, kw_only=True)
class RestartChoice(RestartSettings):
    """Complete settings of the restarts."""

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
    """Complete settings of a training."""

    n_clusters: int
    max_iter: int
    patience: int
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
    """The same settings as complete settings.

    Raises:
        SettingsError: if a setting is not decided; the message names it.
    """
    if settings.encoder.hidden is None and settings.encoder.kind not in (None, "mlp"):
        settings = replace(settings, encoder=replace(settings.encoder, hidden=[]))
    return _narrowed(CompleteSettings, settings, "")


def _narrowed(kind: type[T], group: Any, path: str) -> T:
    """One group of settings, and the groups in it, as the complete class."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for each in fields(kind):  # type: ignore[arg-type]
        value, hint, name = getattr(group, each.name), hints[each.name], f"{path}{each.name}"
        if is_dataclass(value):
            value = _narrowed(hint, value, f"{name}.")
        elif value is None and type(None) not in get_args(hint):
            raise SettingsError(
                f"setting {name}: expected a value, got null, which only the plan of a training "
                "replaces"
            )
        values[each.name] = value
    return kind(**values)
