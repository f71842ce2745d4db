"""Distances between samples and real images, in the features of a network.

The network can be any module from images to features (n, e); distances are comparable only for the
same network. Images are passed in the form that the network takes. With `torch.nn.Identity()`,
features can be passed instead of images.
"""

import warnings
from importlib.util import find_spec

import torch
from torch import Generator, Tensor, nn

from gedi.errors import GediError

__all__ = [
    "frechet_inception_distance",
    "generation_report",
    "kernel_inception_distance",
    "precision_recall",
    "require_torchmetrics",
]

_PART = 500  # images, and rows of distances, at a time, so that memory does not grow with them


def generation_report(
    real: Tensor, samples: Tensor, feature_net: nn.Module, generator: Generator
) -> dict[str, float]:
    """All measures of samples: "FID", "KID", "precision" and "recall".

    Args:
        real: real images (n, ...), in the form that the network takes.
        samples: samples (m, ...), in the same form.
        feature_net: maps images to features (n, e).
        generator: draws the subsets for KID.

    Raises:
        GediError: if torchmetrics is not installed.
        ValueError: if a side has fewer than 4 images, or features are not finite.
    """
    a, b = _features(real, feature_net), _features(samples, feature_net)
    given = nn.Identity()
    precision, recall = precision_recall(a, b)
    return {
        "FID": frechet_inception_distance(a, b, given),
        "KID": kernel_inception_distance(a, b, given, generator=generator),
        "precision": precision,
        "recall": recall,
    }


def frechet_inception_distance(real: Tensor, samples: Tensor, feature_net: nn.Module) -> float:
    """The Fréchet distance between Gaussians that are fitted to the features.

        FID = |μ1 - μ2|² + tr(C1 + C2 - 2 (C1 C2)^½)

    It is biased upwards, more so for fewer images, so compare equal numbers of images. Source:
    Heusel et al., NeurIPS 2017, https://arxiv.org/abs/1706.08500.

    Args:
        real: real images (n, ...), in the form that the network takes.
        samples: samples (m, ...), in the same form.
        feature_net: maps images to features (n, e).

    Raises:
        GediError: if torchmetrics is not installed.
        ValueError: if a side has fewer than 2 images, or features do not match or are not finite.
    """
    try:
        from torchmetrics.image.fid import FrechetInceptionDistance  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _missing("FID") from error
    a, b = _pair(real, samples, feature_net, 2)
    metric = FrechetInceptionDistance(_Given(a.shape[1])).to(a.device)
    metric.update(a, real=True)
    metric.update(b, real=False)
    return float(metric.compute())


def kernel_inception_distance(
    real: Tensor,
    samples: Tensor,
    feature_net: nn.Module,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    generator: Generator,
) -> float:
    """The squared maximum mean discrepancy of the features, as a mean over random subsets.

        KID = E k(r, r') + E k(s, s') - 2 E k(r, s),   k(u, v) = (u·v / e + 1)³

    The estimate is unbiased and may therefore be negative. Source: Bińkowski et al., ICLR 2018,
    https://arxiv.org/abs/1801.01401.

    Args:
        real: real images (n, ...), in the form that the network takes.
        samples: samples (m, ...), in the same form.
        feature_net: maps images to features (n, e).
        subsets: the number of subsets.
        subset_size: the number of images of each side in a subset; all of them if there are fewer.
        generator: draws the subsets.

    Raises:
        GediError: if torchmetrics is not installed.
        ValueError: if a side or a subset has fewer than 2 images, there are no subsets, or features
            do not match or are not finite.
    """
    try:
        from torchmetrics.image.kid import KernelInceptionDistance  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _missing("KID") from error
    if subsets < 1 or subset_size < 2:
        raise ValueError(f"expected at least 1 subset of 2 images, got {subsets} of {subset_size}")
    a, b = _pair(real, samples, feature_net, 2)
    with warnings.catch_warnings():
        # The warning is that features are kept in memory, where they are already.
        warnings.simplefilter("ignore", UserWarning)
        metric = KernelInceptionDistance(
            _Given(a.shape[1]), subsets=subsets, subset_size=min(subset_size, len(a), len(b))
        ).to(a.device)
    metric.update(a, real=True)
    metric.update(b, real=False)
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    # The metric draws from the global random state, which is restored afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(seed))
        mean, _ = metric.compute()
    return float(mean)


def precision_recall(real: Tensor, samples: Tensor, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall.

    The manifold of a set is the union of balls around its points, whose radius is the distance to
    the k-th nearest neighbour in the set. Precision is the share of samples in the manifold of the
    real points, and recall is the share of real points in the manifold of the samples. Interpret
    recall only together with precision: samples that are far apart have large balls, so that noise
    can have a high recall. Source: Kynkäänniemi et al., NeurIPS 2019,
    https://arxiv.org/abs/1904.06991.

    Args:
        real: features of real images, (n, e).
        samples: features of samples, (m, e).
        k: the number of neighbours.

    Raises:
        ValueError: if features do not match or are not finite, k is below 1, or a side does not
            have more than k points.
    """
    if k < 1:
        raise ValueError(f"expected k of at least 1, got {k}")
    a, b = _pair(real, samples, nn.Identity(), k + 1)
    return _share_inside(b, a, k), _share_inside(a, b, k)


def require_torchmetrics() -> None:
    """Check that torchmetrics is installed, before samples are drawn, which takes long.

    Raises:
        GediError: if it is not installed.
    """
    if find_spec("torchmetrics") is None:
        raise _missing("FID")


def _share_inside(points: Tensor, centres: Tensor, k: int) -> float:
    """The share of points (m, e) in the manifold of the centres (n, e)."""
    # k + 1, because the nearest point of the set is the point itself.
    radii = torch.cat(
        [_distances(part, centres).kthvalue(k + 1).values for part in torch.split(centres, _PART)]
    )
    inside = [(_distances(part, centres) <= radii).any(1) for part in torch.split(points, _PART)]
    return float(torch.cat(inside).double().mean())


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # Without matrix products, whose rounding gives points a distance from themselves.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


class _Given(nn.Identity):
    """A network that returns its inputs, for torchmetrics: features are computed before."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


@torch.no_grad()
def _features(images: Tensor, feature_net: nn.Module) -> Tensor:
    """The features of images, float64, (n, e)."""
    if len(images) == 0:
        raise ValueError("expected at least 1 image, got 0")
    return torch.cat([feature_net(part).double() for part in torch.split(images, _PART)])


def _pair(
    real: Tensor, samples: Tensor, feature_net: nn.Module, least: int
) -> tuple[Tensor, Tensor]:
    """The features of both sides, float64, checked to match."""
    sides = []
    for name, images in (("real", real), ("samples", samples)):
        if len(images) < least:
            raise ValueError(f"expected at least {least} rows of {name}, got {len(images)}")
        features = _features(images, feature_net)
        if features.ndim != 2:
            raise ValueError(f"expected features (n, e) of {name}, got {tuple(features.shape)}")
        if not bool(features.isfinite().all()):
            raise ValueError(f"expected finite features of {name}, got NaN or infinite ones")
        sides.append(features)
    if sides[0].shape[1] != sides[1].shape[1]:
        raise ValueError(
            f"expected the same number of features on both sides, got {sides[0].shape[1]} and "
            f"{sides[1].shape[1]}"
        )
    return sides[0], sides[1]


def _missing(figure: str) -> GediError:
    return GediError(f"{figure} needs torchmetrics: pip install 'gedi[images]'")
