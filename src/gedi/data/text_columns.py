"""Columns of texts as numbers: leading principal axes of the vectors of a pretrained network.

    z = A (v - m),   v = network(text)

with the mean m (d,) of the vectors of the training and A (k, d), whose rows are their principal
axes, each divided by the standard deviation along it. So a column of texts counts like k columns of
variance 1 among the others of a table, and not like the d numbers of a vector.
"""

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gedi.features import TextFeatures

__all__ = ["AXES", "Encode", "TextAxes", "network_of", "vectors_of"]

AXES, LEAST_AXES = 32, 3  # these numbers are those of benchmarks/mixed.py
TEXTS_EACH = 30  # for each axis: further ones of few texts are noise
_DECOMPOSED = 20_000  # vectors whose principal axes are computed

# From the name of a network and texts to vectors (n, d).
Encode = Callable[[str | None, Sequence[str]], NDArray[np.floating]]


@lru_cache(maxsize=2)
def network_of(name: str | None) -> "TextFeatures":
    """The network of a name, for the meaning alone; None is the default of `TextFeatures`."""
    from gedi.features import TextFeatures  # noqa: PLC0415 - only columns of texts need it

    return TextFeatures(name, words=False)


def vectors_of(name: str | None, texts: Sequence[str]) -> NDArray[np.floating]:
    """The vectors of texts (n, d), in half precision like those that are kept in files."""
    return network_of(name).transform(list(texts)).astype(np.float16)


@dataclass(frozen=True)
class TextAxes:
    """The network of a column of texts, and the principal axes of its vectors.

    Args:
        network: a folder or a name on the Hugging Face hub; None is the default of `TextFeatures`.
        width: the number of values of a vector, d.
        packed: m and the rows of A as 32-bit floats, little-endian, in base64.
    """

    network: str | None
    width: int
    packed: str

    @classmethod
    def learn(cls, network: str | None, vectors: NDArray[np.floating]) -> tuple[Self, float]:
        """The axes of vectors (n, d), and the share of the variance along them.

        Args:
            network: its name.
            vectors: of the texts that are not missing.
        """
        from sklearn.decomposition import PCA  # noqa: PLC0415 - only columns of texts need it

        if network is not None and Path(network).is_dir():
            network = str(Path(network).resolve())  # which holds in any folder
        n, d = vectors.shape
        some = np.asarray(vectors[:: math.ceil(n / _DECOMPOSED)], np.float64)
        k = max(1, min(AXES, max(LEAST_AXES, n // TEXTS_EACH), len(some) - 1, d))
        solver = "full" if len(some) < d else "covariance_eigh"
        with np.errstate(invalid="ignore"):  # of equal texts
            found = PCA(k, svd_solver=solver).fit(some)
        deviation = np.sqrt(found.explained_variance_)
        least = 1e-6 * max(float(deviation.max()), 1e-6)  # axes without variance stay at 0
        axes = np.where(deviation > least, 1 / np.maximum(deviation, least), 0.0)[:, None]
        rows = np.vstack([found.mean_, axes * found.components_]).astype("<f4")
        share = float(found.explained_variance_.sum() / max(some.var(0, ddof=1).sum(), least**2))
        return cls(network, d, base64.b64encode(rows.tobytes()).decode("ascii")), share

    @classmethod
    def of_json(cls, content: Any) -> Self:
        """The axes as `dataclasses.asdict` wrote them.

        Raises:
            ValueError: they are something else.
        """
        if not isinstance(content, dict) or content.keys() != {"network", "width", "packed"}:
            raise ValueError("axes: expected network, width and packed")
        network, width, packed = (content[name] for name in ("network", "width", "packed"))
        right = (network is None or isinstance(network, str)) and type(width) is int and width > 0
        if not right or not isinstance(packed, str):
            raise ValueError("axes: expected a name, a number and a text")
        found = cls(network, width, packed)
        if found.n < 1 or not np.isfinite(found._rows).all():
            raise ValueError("axes: expected at least one, of finite numbers")
        return found

    @property
    def n(self) -> int:
        """The number of axes, k."""
        return len(self._rows) - 1

    def apply(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """The places of vectors (n, d) along the axes, (n, k).

        Raises:
            ValueError: vectors of another width, as of another network.
        """
        if vectors.shape[1] != self.width:
            raise ValueError(f"expected vectors of {self.width} values, got {vectors.shape[1]}")
        mean, axes = self._rows[0], self._rows[1:]
        return np.asarray((vectors.astype(np.float64) - mean) @ axes.T)

    @property
    def _rows(self) -> NDArray[np.float64]:
        values = np.frombuffer(base64.b64decode(self.packed, validate=True), "<f4")
        return values.reshape(-1, self.width).astype(np.float64)
