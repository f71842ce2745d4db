"""How strong the views of images are, for each kind of images; the one place for these numbers."""

from collections.abc import Mapping
from typing import Literal

__all__ = ["NEUTRAL", "PresetKind", "changes_images", "preset"]

PresetKind = Literal["digits", "natural"]

# What leaves images as they are, by the names that `ViewSettings` and `ImageViews` share.
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

# What differs from it. Aspects count only where images are cropped.
_PRESETS: dict[PresetKind, dict[str, float]] = {
    "digits": {"rotate": 15.0, "shift": 0.1, "zoom": 0.2, "shear": 25.0, "aspect": 1.2},
    "natural": {"crop": 0.2, "aspect": 4 / 3, "flip": 0.5, "jitter": 0.5, "grey": 0.2},
}


def preset(kind: PresetKind) -> dict[str, float]:
    """Settings of `ImageViews` for a kind of images, to be passed on as keyword arguments.

    Args:
        kind: "digits" for written signs: as slanted, narrow and wide as hands write them, but not
            mirrored, which makes other signs of them; "natural" for photographs of about 32 pixels:
            SimCLR's settings for CIFAR-10 (Chen et al., ICML 2020, appendix B.9), which do without
            blur, but with crops of at least a fifth.

    Raises:
        ValueError: for any other kind.
    """
    if kind not in _PRESETS:
        raise ValueError(f"expected one of {', '.join(_PRESETS)}, got {kind!r}")
    return NEUTRAL | _PRESETS[kind]


def changes_images(strengths: Mapping[str, float]) -> bool:
    """Whether views of these strengths, one for each name of `NEUTRAL`, differ from the images."""
    # Another aspect comes only with a crop.
    return any(strengths[name] != NEUTRAL[name] for name in NEUTRAL if name != "aspect")
