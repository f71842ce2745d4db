"""The pixels of one encoded image, in 8 bits: upright, grey or colour, of the size asked for."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

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
Planes = NDArray[np.uint8]  # (C, H, W)


class UnreadableError(Exception):
    """An image cannot be read; the message says in a few words why."""


def planes_of(encoded: Encoded, image_size: int | None) -> Planes | str:
    """One image (C, H, W), or the reason why it cannot be read."""
    from PIL import ImageOps  # noqa: PLC0415

    try:
        image = _eight_bits(_open(encoded))
        if image_size is not None:
            image = ImageOps.fit(image, (image_size, image_size))
    except UnreadableError as error:
        return str(error)
    except Exception as error:  # of damaged bytes Pillow's many readers raise anything
        return f"cannot be decoded ({reason(error)})"
    pixels = np.asarray(image)
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


def _eight_bits(image: "Image.Image") -> "Image.Image":
    """The image in the mode L or RGB."""
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
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            raise UnreadableError("holds values of 32 bits: save it with 8 or 16 bits a channel")
        return Image.fromarray(((values.astype(np.int64) + 128) // 257).astype(np.uint8))
    return image.convert("RGB")
