"""How near samples are to real images, in the features of a network.

Any network serves that maps images to features (n, e); distances are comparable only within one.
Images are given as the network takes them; `torch.nn.Identity()` takes features made before.
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

_PART = 500  # images at a time, and rows of distances, so that memory does not grow with them


def generation_report(
    real: Tensor, samples: Tensor, feature_net: nn.Module, generator: Generator
) -> dict[str, float]:
    """All figures of samples: "FID", "KID", "precision" and "recall".

    Args:
        real: images (n, ...), as the network takes them.
        samples: images (m, ...), likewise.
        feature_net: from images to features.
        generator: draws the subsets of the kernel distance.

    Raises:
        GediError: if torchmetrics is not installed.
        ValueError: fewer than 4 images on a side, or features that are not finite.
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
    """Distance between Gaussians fitted to features (Heusel et al., NeurIPS 2017).

        FID = |μ1 - μ2|² + tr(C1 + C2 - 2 (C1 C2)^½)

    It is biased upwards, the more the fewer the images: compare equal numbers of them.

    Args:
        real: images (n, ...), as the network takes them.
        samples: images (m, ...), likewise.
        feature_net: from images to features.

    Raises:
        GediError: if torchmetrics is not installed.
        ValueError: fewer than 2 images on a side, or features that do not fit or are not finite.
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
    """Squared maximum mean discrepancy of features (Bińkowski et al., ICLR 2018).

        KID = E k(r, r') + E k(s, s') - 2 E k(r, s),   k(u, v) = (u·v / e + 1)³

    The mean over random subsets; unbiased, so that it may fall below zero.

    Args:
        real: images (n, ...), as the network takes them.
        samples: images (m, ...), likewise.
        feature_net: from images to features.
        subsets: number of subsets.
        subset_size: images in a subset of either side; all of them, where there are fewer.
        generator: draws the subsets.

    Raises:
        GediError: if torchmetrics is not installed.
        ValueError: fewer than 2 images on a side or in a subset, no subsets, or features that do
            not fit or are not finite.
    """
    try:
        from torchmetrics.image.kid import KernelInceptionDistance  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _missing("KID") from error
    if subsets < 1 or subset_size < 2:
        raise ValueError(f"expected at least 1 subset of 2 images, got {subsets} of {subset_size}")
    a, b = _pair(real, samples, feature_net, 2)
    with warnings.catch_warnings():
        # That features are kept in memory; here they are anyway.
        warnings.simplefilter("ignore", UserWarning)
        metric = KernelInceptionDistance(
            _Given(a.shape[1]), subsets=subsets, subset_size=min(subset_size, len(a), len(b))
        ).to(a.device)
    metric.update(a, real=True)
    metric.update(b, real=False)
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    # It draws from the global source of randomness, which is put back as it was.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(seed))
        mean, _ = metric.compute()
    return float(mean)


def precision_recall(real: Tensor, samples: Tensor, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al., NeurIPS 2019).

    A set's manifold is the union of balls around its points, each as wide as the distance to its
    k-th nearest fellow. Precision is the share of samples in the manifold of the real points, and
    recall the share of real points in that of the samples. Read recall with precision only: balls
    around samples that are far apart are wide, and noise can so hold most of the real points.

    Args:
        real: features (n, e).
        samples: features (m, e).
        k: number of nearest fellows.

    Raises:
        ValueError: features that do not fit or are not finite, or no more than k on a side.
    """
    if k < 1:
        raise ValueError(f"expected k of at least 1, got {k}")
    a, b = _pair(real, samples, nn.Identity(), k + 1)
    return _share_inside(b, a, k), _share_inside(a, b, k)


def require_torchmetrics() -> None:
    """Refuse at once what would end in a refusal, after samples that took long.

    Raises:
        GediError: if torchmetrics is not installed.
    """
    if find_spec("torchmetrics") is None:
        raise _missing("FID")


def _share_inside(points: Tensor, centres: Tensor, k: int) -> float:
    """Share of points (m, e) in the manifold of the centres (n, e)."""
    # The k-th fellow is the k+1-st nearest of all, the first being the point itself.
    radii = torch.cat(
        [_distances(part, centres).kthvalue(k + 1).values for part in torch.split(centres, _PART)]
    )
    inside = [(_distances(part, centres) <= radii).any(1) for part in torch.split(points, _PART)]
    return float(torch.cat(inside).double().mean())


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # Not by matrix products, after which a point would be off itself by rounding.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


class _Given(nn.Identity):
    """Features that were made before, as a network that torchmetrics accepts."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


@torch.no_grad()
def _features(images: Tensor, feature_net: nn.Module) -> Tensor:
    """Features (n, e) of images, float64."""
    if len(images) == 0:
        raise ValueError("expected images, got none")
    return torch.cat([feature_net(part).double() for part in torch.split(images, _PART)])


def _pair(
    real: Tensor, samples: Tensor, feature_net: nn.Module, least: int
) -> tuple[Tensor, Tensor]:
    """Features of both sides, float64."""
    sides = []
    for name, images in (("real", real), ("samples", samples)):
        if len(images) < least:
            raise ValueError(f"expected at least {least} rows of {name}, got {len(images)}")
        features = _features(images, feature_net)
        if features.ndim != 2:
            raise ValueError(f"expected features (n, e) of {name}, got {tuple(features.shape)}")
        if not bool(features.isfinite().all()):
            raise ValueError(f"the features of {name} are not finite")
        sides.append(features)
    if sides[0].shape[1] != sides[1].shape[1]:
        raise ValueError(
            f"expected as many features on both sides, got {sides[0].shape[1]} and "
            f"{sides[1].shape[1]}"
        )
    return sides[0], sides[1]


def _missing(figure: str) -> GediError:
    return GediError(f"{figure} needs torchmetrics: pip install 'gedi[images]'")
