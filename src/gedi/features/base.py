"""What the features of texts and of images share: batches, progress, and a cache of the results."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from gedi.errors import DataError, SettingsError
from gedi.features.store import FEATURES, FeatureStore

__all__ = ["BaseFeatures", "Watch"]

Watch = Callable[[int, int], object]  # called with the number of rows done and that of all


class BaseFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A pretrained network as a transformer: it learns nothing from the data."""

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        batch_size: int = 64,
        device: str = "auto",
        cache: str | Path | None = None,
    ) -> None:
        self.model = model
        self.batch_size = batch_size
        self.device = device
        self.cache = cache

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Load the network, which is not trained.

        Args:
            X: raw things; only checked.
            y: not used.
        """
        self._items(X)
        self.n_features_out_ = self.n_features
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:  # noqa: N803
        """The features of raw things, (n, d).

        Args:
            X: raw things; see `fit`.

        Raises:
            DataError: for things that cannot be read, or features that are not finite.
            GediError: if the network cannot be loaded.
        """
        items = self._items(X)
        if self.cache is None:
            found = [self.encode(part) for part in self._parts(items)]
            return np.concatenate(found) if found else np.empty((0, self.n_features), np.float32)
        store = FeatureStore(Path(self.cache) / self.key(self._content(items)))
        mapped = self.into(store, lambda start: self._parts(items[start:]), len(items))
        return np.asarray(mapped, dtype=np.float32)

    def into(
        self,
        store: FeatureStore,
        parts: Callable[[int], Iterable[Sequence[Any]]],
        n: int,
        watch: Watch | None = None,
    ) -> NDArray[np.float16]:
        """The features of n raw things in a store, computed where they are missing.

        Args:
            store: where they are kept.
            parts: called with a row, iterates over the things from that row on, some at a time.
            n: the number of things.
            watch: called with the number of rows done and that of all.

        Returns:
            Features (n, d), mapped from the file.
        """
        if not store.is_complete:
            with store.filling(n, lambda: {FEATURES: (self.n_features,)}) as (start, add):
                done = start
                if watch is not None:
                    watch(done, n)
                for part in parts(start):
                    add({FEATURES: self.encode(part)})
                    done += len(part)
                    if watch is not None:
                        watch(done, n)
        return store.open(n)

    def key(self, content: str) -> str:
        """A name for the features of a content, which changes with everything they depend on."""
        return hashlib.sha256(f"{content} {self.identity}".encode()).hexdigest()[:32]

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the features, such as textfeatures0, (d,).

        Args:
            input_features: not used.
        """
        name = type(self).__name__.lower()
        return np.array([f"{name}{j}" for j in range(self.n_features)], dtype=object)

    @property
    @abstractmethod
    def n_features(self) -> int:
        """The number of features, d."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """A text that differs for another network, or other options that change the features."""

    @abstractmethod
    def encode(self, items: Sequence[Any]) -> NDArray[np.float32]:
        """The features of some checked things, (k, d)."""

    @abstractmethod
    def _items(self, x: Any) -> Sequence[Any]:
        """Checked things."""

    @abstractmethod
    def _content(self, items: Sequence[Any]) -> str:
        """A hash of the things."""

    @property
    def part_size(self) -> int:
        """The number of things that are encoded together."""
        return self._checked_batch_size

    @property
    def _checked_batch_size(self) -> int:
        size = self.batch_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise SettingsError(f"batch_size: expected a whole number of at least 1, got {size!r}")
        return size

    def _parts(self, items: Sequence[Any]) -> Iterator[Sequence[Any]]:
        for start in range(0, len(items), self.part_size):
            yield items[start : start + self.part_size]

    def _finite(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Features as float32, (k, d).

        Raises:
            DataError: for a value that is not finite.
        """
        x = np.asarray(features, dtype=np.float32)
        if not np.isfinite(x).all():
            raise DataError(f"{self.model}: the network returned features that are not finite")
        return x

    def __getstate__(self) -> dict[str, Any]:
        # Networks are loaded again where they are needed.
        kind = type(self)
        loaded = {
            name for name in vars(self) if isinstance(getattr(kind, name, 0), cached_property)
        }
        return {name: value for name, value in vars(self).items() if name not in loaded}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        tags.no_validation = True
        return tags
