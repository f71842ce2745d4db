"""Objects and arrays of the user that settings, which are plain values, cannot hold."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from gedi.errors import SettingsError
from gedi.evidence.build import GROUP_SHARE, LABEL_SHARE
from gedi.evidence.groups import Groups
from gedi.methods import BUILT_IN, Method, method_of
from gedi.settings import Settings
from gedi.training.growth import Carried
from gedi.training.numbering import Reference
from gedi.training.trained import TrainedModel

__all__ = ["Custom"]


@dataclass(frozen=True)
class Custom:
    """Objects and arrays in addition to the settings; all of them are optional.

    Args:
        encoder: the network below the head; it replaces the built-in encoder.
        method: the method; it replaces the one that the settings name.
        views: functions from a batch (n, *input_shape) in the user's units to a batch of the same
            shape, in addition to the views of the settings.
        positives: pairs of rows that belong together, (m, 2), as an additional view.
        classes: known classes from 0 to c - 1, and -1 where unknown, (n,).
        groups: points that are seen together and obey a rule; they replace classes.
        previous: a trained model to continue from.
        weights: the weight of each point, positive, (n,); weight 2 counts like two copies.
        like: the predictions of an earlier model for some points; the clusters get its numbers.
        carried: the clusters of some points, from which the network starts instead of those of a
            pool.
    """

    encoder: nn.Module | None = None
    method: Method | None = None
    views: tuple[Callable[[Tensor], Tensor], ...] = ()
    positives: NDArray[np.int64] | None = None
    classes: NDArray[np.int64] | None = None
    groups: Groups | None = None
    weights: NDArray[np.float64] | None = None
    previous: TrainedModel | None = None
    like: Reference | None = None
    carried: Carried | None = None

    def chosen_method(self, settings: Settings) -> Method:
        """The method of the training.

        Raises:
            PluginError: if the settings name a method that no plug-in provides.
            SettingsError: if the method is an object with the name of a built-in one.
        """
        if self.method is None:
            return method_of(settings.method)
        name = self.method.name
        if name in BUILT_IN and self.method != BUILT_IN[name]:
            raise SettingsError(f"method: {name} is the name of a built-in one: give it another")
        return self.method

    @property
    def has_views(self) -> bool:
        """Whether there are views besides those of the settings."""
        return bool(self.views) or self.positives is not None

    @property
    def known_share(self) -> float:
        """The number of inputs with evidence in an iteration, as a share of the batch size."""
        if self.groups is not None:
            return GROUP_SHARE
        return 0.0 if self.classes is None else LABEL_SHARE

    @property
    def names_clusters(self) -> bool:
        """Whether clusters have meanings, and therefore fixed numbers, from the start."""
        return self.classes is not None or self.groups is not None
