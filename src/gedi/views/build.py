"""Building the views of a training from its settings and the data."""

from torch import Tensor

from gedi.model.scaling import Scaling
from gedi.settings.complete import ViewChoice
from gedi.settings.presets import NEUTRAL, changes_images
from gedi.views.images import ImageViews
from gedi.views.vectors import (
    FeatureDropout,
    GaussianNoise,
    LocalScale,
    Neighbour,
    Own,
    Split,
    View,
    VirtualAdversarial,
    plugged_view,
)

__all__ = ["REFERENCES", "build_views", "together"]

REFERENCES = 2000  # points among which neighbours are searched
_LOCAL = 10  # the local scale is the distance to this neighbour among the anchors


def build_views(
    chosen: ViewChoice,
    data: Tensor,
    image_shape: tuple[int, int, int] | None,
    scaling: Scaling,
    *,
    n_anchors: int,
) -> list[View]:
    """Build one view of each kind whose strength in the settings is not zero.

    Args:
        chosen: settings of the views.
        data: scaled points in random order, (n, d); neighbours and local scales refer to the first
            of them.
        image_shape: (C, H, W) if the points are flattened images, else None.
        scaling: the scaling between the user's units, which views of plug-ins use, and those of the
            network.
        n_anchors: the number of points that local scales refer to.

    Raises:
        PluginError: if a view comes from a plug-in that is not installed.
    """
    reference = data[:REFERENCES]
    local = LocalScale(data[:n_anchors], _LOCAL)
    views: list[View] = []
    if image_shape is not None:
        strengths = {name: getattr(chosen, name) for name in NEUTRAL}
        if changes_images(strengths):
            views.append(ImageViews(image_shape, **strengths))
    else:
        if chosen.noise > 0:
            views.append(GaussianNoise(chosen.noise, local))
        if chosen.dropout > 0:
            views.append(FeatureDropout(chosen.dropout, reference))
    if chosen.adversarial > 0:
        views.append(VirtualAdversarial(chosen.adversarial, local))
    if chosen.neighbours > 0:
        views.append(Neighbour(reference, min(chosen.neighbours, len(reference) - 1)))
    input_shape = image_shape or data.shape[-1:]
    return views + [Own(plugged_view(name), scaling, input_shape) for name in chosen.own]


def together(views: list[View]) -> View:
    """Combine several views into one, in which each view gets an equal share of the batch."""
    return views[0] if len(views) == 1 else Split(views)
