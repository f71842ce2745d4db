"""The pixels of one encoded image: upright, grey or colour, of the size asked for.

Values are from 0 to 255, whatever the type: those of 16 bits are divided by 257 and those of floats
from 0 to 1 multiplied by 255, so that images of all kinds have the same units. They are floats if
that leaves fractions.
"""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gedi.printable import reason
from gedi.untrusted.limits import RefusedError, refuse_special

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Encoded", "Planes", "planes_of"]

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # no others: some start programs
_MOST_BYTES = 2**29  # of a file; the pixels that Pillow accepts take less, as plain as they may be

Encoded = bytes | Path | None
Planes = NDArray[np.uint8 | np.float32]  # (C, H, W)


class UnreadableError(Exception):
    """An image cannot be read; the message says in a few words why."""


def planes_of(encoded: Encoded, image_size: int | None, *, in_bytes: bool = False) -> Planes | str:
    """One image (C, H, W), or the reason why it cannot be read.

    Args:
        encoded: the bytes of the image, or its file.
        image_size: pixels a side, of the square in the middle; None for all of the image.
        in_bytes: whether to round values of 16 bits to 8.
    """
    from PIL import ImageOps  # noqa: PLC0415

    try:
        image = _readable(_open(encoded))
        if image_size is not None:
            image = ImageOps.fit(image, (image_size, image_size))
    except UnreadableError as error:
        return str(error)
    except Exception as error:  # of damaged bytes Pillow's many readers raise anything
        return f"cannot be decoded ({reason(error)})"
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8:  # resizing may have gone beyond
        pixels = pixels.clip(0, 255)
        pixels = (pixels + 0.5).astype(np.uint8) if in_bytes else pixels
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _open(encoded: Encoded) -> "Image.Image":
    """An image, decoded and upright."""
    from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415

    if encoded is None:
        raise UnreadableError("holds no image")
    try:
        if isinstance(encoded, Path):
            refuse_special(encoded)
            if encoded.stat().st_size > _MOST_BYTES:
                raise RefusedError(f"it is larger than {_MOST_BYTES // 2**20} MiB")
            encoded = encoded.read_bytes()
        image = Image.open(io.BytesIO(encoded), formats=_FORMATS)
        most = Image.MAX_IMAGE_PIXELS
        if most is not None and image.width * image.height > most:
            raise Image.DecompressionBombError(f"{image.width} x {image.height}")
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableError(
            f"has more than {Image.MAX_IMAGE_PIXELS} pixels, too many for one image"
        ) from error
    except UnidentifiedImageError as error:
        raise UnreadableError(
            f"is damaged or no image of the kinds {', '.join(_FORMATS)}"
        ) from error
    return image


def _readable(image: "Image.Image") -> "Image.Image":
    """The image in the mode L or RGB; or F, if its values are fractions of those of 8 bits."""
    from PIL import Image  # noqa: PLC0415

    if image.has_transparency_data:
        over = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, over).convert("RGB")
    if image.mode in {"L", "RGB"}:
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "F" or image.mode.startswith("I"):
        return _in_bytes(np.asarray(image))
    return image.convert("RGB")


def _in_bytes(values: NDArray[Any]) -> "Image.Image":
    """Values of more than 8 bits, in units of 8.

    Raises:
        UnreadableError: for floats beyond 0 to 1, or whole numbers of more than 16 bits, since
            their range is not known from one image.
    """
    from PIL import Image  # noqa: PLC0415

    are_floats = values.dtype.kind == "f"
    most = 1 if are_floats else 65_535
    if not np.isfinite(values).all():
        raise UnreadableError("holds values that are not finite: fill them in")
    if values.min() < 0 or values.max() > most:
        kind = "floats" if are_floats else "whole numbers"
        raise UnreadableError(
            f"holds {kind} from {values.min():g} to {values.max():g}: expected them from 0 to "
            f"{most}: rescale all images alike and save them with 16 bits, or stack their values "
            "in a .npy file (n, C, H, W)"
        )
    if are_floats:
        scaled = (values * np.float32(255)).astype(np.float32)
        whole = scaled.round()
        are_whole = np.abs(scaled - whole).max() < 1e-4  # as saved from 8 bits
        return Image.fromarray(whole.astype(np.uint8) if are_whole else scaled)
    in_bytes = values // 257
    if (in_bytes * 257 == values).all():
        return Image.fromarray(in_bytes.astype(np.uint8))
    return Image.fromarray((values / 257).astype(np.float32))
