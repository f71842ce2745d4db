"""The strengths of the views of images, for each kind of images."""

from collections.abc import Mapping
from typing import Literal

__all__ = ["COLOURS", "NEUTRAL", "PresetKind", "changes_images", "preset"]

PresetKind = Literal["digits", "natural"]

# Strengths that leave images unchanged; the names are those of `ViewSettings` and `ImageViews`.
NEUTRAL: dict[str, float] = {
    "rotate": 0.0,
    "shift": 0.0,
    "zoom": 0.0,
    "shear": 0.0,
    "crop": 1.0,
    "aspect": 1.0,
    "flip": 0.0,
    "jitter": 0.0,
    "grey": 0.0,
    "blur": 0.0,
    "pixel_noise": 0.0,
}

COLOURS = ("jitter", "grey")
"""The views of images of three channels alone."""

# Only strengths that are not neutral. The aspect has an effect only if images are cropped.
_PRESETS: dict[PresetKind, dict[str, float]] = {
    "digits": {"rotate": 15.0, "shift": 0.1, "zoom": 0.2, "shear": 25.0, "aspect": 1.2},
    "natural": {"crop": 0.2, "aspect": 4 / 3, "flip": 0.5, "jitter": 0.5, "grey": 0.2},
}


def preset(kind: PresetKind) -> dict[str, float]:
    """The strengths for a kind of images, as keyword arguments of `ImageViews`.

    Args:
        kind: "digits" for written characters, whose slant and width vary as in handwriting; they
            are not mirrored, which would change their meaning. "natural" for photographs of about
            32 pixels: the settings of SimCLR for CIFAR-10, without blur (Chen et al., ICML 2020,
            appendix B.9, https://arxiv.org/abs/2002.05709), but with crops of at least a fifth of
            the area.

    Raises:
        ValueError: if the kind is unknown.
    """
    if kind not in _PRESETS:
        raise ValueError(f"expected one of {', '.join(_PRESETS)}, got {kind!r}")
    return NEUTRAL | _PRESETS[kind]


def changes_images(strengths: Mapping[str, float]) -> bool:
    """Whether views with these strengths, one for each name of `NEUTRAL`, change the images."""
    # The aspect alone has no effect without a crop.
    return any(strengths[name] != NEUTRAL[name] for name in NEUTRAL if name != "aspect")
