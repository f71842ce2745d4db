"""Functions of the user that turn features back into texts or pictures."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gedi.errors import GediError
from gedi.features.entry_points import imported, is_entry_point

__all__ = ["Decoder", "load_decoder"]

Decoder = Callable[[NDArray[np.float32]], NDArray[Any]]


def load_decoder(name: str) -> Decoder:
    """The decoder with a name, which maps features (n, d) to texts (n,) or arrays (n, ...).

    Args:
        name: package.module:function; the function may return a sequence of strings.

    Raises:
        GediError: if there is no such function; the decoder raises one if what the function
            returns is not a text or an array for each row.
    """
    if not is_entry_point(name):
        raise GediError(f"decoder: expected package.module:function, got {name}")
    function = imported(name, "decoder")

    def decode(features: NDArray[np.float32]) -> NDArray[Any]:
        found = np.asarray(function(features))
        if found.ndim == 0 or len(found) != len(features) or found.dtype.kind not in "Uiufb":
            raise GediError(
                f"decoder: {name}: expected a text or an array of numbers for each of "
                f"{len(features)} rows, got shape {found.shape} of type {found.dtype}"
            )
        return found

    return decode
