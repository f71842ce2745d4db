"""Typed settings of a training; torch is not imported, so that `gedi --help` is fast."""

from gedi.settings.complete import CompleteSettings, complete
from gedi.settings.schema import (
    EncoderKind,
    EncoderSettings,
    MethodKind,
    Range,
    RestartSettings,
    SamplerKind,
    SamplerSettings,
    Settings,
    VeraSettings,
    ViewSettings,
    WeightSettings,
    check,
    from_dict,
    learns_density,
    method_name,
)

__all__ = [
    "CompleteSettings",
    "EncoderKind",
    "EncoderSettings",
    "MethodKind",
    "Range",
    "RestartSettings",
    "SamplerKind",
    "SamplerSettings",
    "Settings",
    "VeraSettings",
    "ViewSettings",
    "WeightSettings",
    "check",
    "complete",
    "from_dict",
    "learns_density",
    "method_name",
]
