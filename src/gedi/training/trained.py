"""Trained models: clusters, scores and samples in the user's units."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Generator, Tensor

from gedi.data.dataset import Values
from gedi.data.rows import in_parts
from gedi.data.values import check_points
from gedi.errors import DataError
from gedi.model import (
    EnergyClassifier,
    SamplesDirectly,
    energy_of_logits,
)
from gedi.model.box import Box
from gedi.model.image_outliers import ImageOutlierEnergy
from gedi.model.outlier_energy import OutlierEnergy
from gedi.model.scaling import Scaling
from gedi.model.smoothing import Smoothing
from gedi.model.visible import VisibleValues
from gedi.normalizer.estimate import LogNormalizer
from gedi.sampling import Energy, Move, evaluate
from gedi.sampling.imputation import impute
from gedi.training.threads import own_state

__all__ = [
    "FARTHEST",
    "OutlierExplanation",
    "Prediction",
    "TrainedModel",
    "confidence",
    "most_probable",
]

_CHUNK = 1024  # points at a time, so that memory does not grow with the data
_PART_VALUES = 2**22  # numbers in the points that are predicted together, 32 MiB
_MOST_CHUNKS = 64
_ROUNDED = 1e-3  # of the largest logit: what rounding in float32 cannot make up
FARTHEST = 1e100  # scaled units; in float64 all energies are at their limit long before


class Prediction(NamedTuple):
    """The predictions of a model for n points.

    Attributes:
        clusters: the most probable cluster, (n,).
        probabilities: p(y|x), (n, c).
        energy: E(x) in nats, in scaled units, (n,).
        log_density: log p(x) in nats, in the user's units, (n,); up to a constant if Z is unknown.
    """

    clusters: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    energy: NDArray[np.float64]
    log_density: NDArray[np.float64]


class OutlierExplanation(NamedTuple):
    """Why points are unusual, column by column.

    Attributes:
        contributions: what each column adds to the outlier energy, in nats, (n, d). They sum up to
            minus the outlier score; columns in which a point is closer to its neighbours than is
            typical have negative ones.
        typical: the median of each column among the nearest typical rows, in the user's units,
            (n, d).
    """

    contributions: NDArray[np.float64]
    typical: NDArray[np.float64]


@dataclass(frozen=True)
class TrainedModel:
    """A trained network with everything that is needed to use it.

    Args:
        model: the network, in evaluation mode.
        scaling: the scaling from the user's units to the network's.
        box: the region over which p(x) is normalised, in scaled units.
        sampler: the moves of the chains.
        chains: the last positions of the chains of the training, (m, d), scaled.
        log_prior: log π, (c,).
        normalizer: log Z in nats, in scaled units; None if there is no estimate.
        smoothing: the noise in the data whose density is p(x).
        outliers: how unusual points are; None for streamed or fewer than 60 images.
        visible: the range and the grid of the values of each column, which samples obey; None for
            images.
    """

    model: EnergyClassifier
    scaling: Scaling
    box: Box
    sampler: Move
    chains: Tensor
    log_prior: Tensor
    normalizer: LogNormalizer | None = None
    smoothing: Smoothing = Smoothing()
    outliers: OutlierEnergy | None = None
    visible: VisibleValues | None = None

    @property
    def n_clusters(self) -> int:
        """The number of clusters, c."""
        return self.model.n_clusters

    @property
    def _log_z(self) -> float:
        """Log Z in nats; 0 if it is unknown, so that densities are up to a constant."""
        if self.normalizer is None or not math.isfinite(self.normalizer.value):
            return 0.0
        return self.normalizer.value

    @property
    def _log_scale(self) -> float:
        """Log p(x) + E(x) in nats, the same for all points."""
        return self.scaling.log_det - self._log_z

    def energy_of(self, log_density: float) -> float:
        """The energy in nats, in scaled units, of points with this log p(x) in the user's units."""
        return self._log_scale - log_density

    @cached_property
    def exact(self) -> EnergyClassifier:
        """The network in float64, for the results that users see.

        In float32, the energy of a point depends on the other points in its batch.
        """
        return copy.deepcopy(self.model).double()

    @own_state()
    @torch.no_grad()
    def logits(self, x: ArrayLike, *, with_base: bool = True) -> Tensor:
        """f(x) of points (n, d) in the user's units, (n, c), float64.

        Args:
            x: points (n, d).
            with_base: whether to add the base; p(y|x) does not depend on it.

        Raises:
            DataError: for a wrong number of columns or values that are not finite.
        """
        network = partial(self.exact, with_base=with_base)
        return self._in_parts(network, check_points(x, self.box.low.numel()))

    def clusters(self, x: ArrayLike) -> NDArray[np.int64]:
        """The most probable clusters of points (n, d) in the user's units, (n,).

        They are those of `predict`, without its scores, and so without the base under the energy.

        Raises:
            DataError: for a wrong number of columns or values that are not finite.
        """
        return self._clusters(check_points(x, self.box.low.numel()))

    @own_state()
    @torch.no_grad()
    def _clusters(self, points: Values) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self._in_parts(self._cluster, points).numpy()[:, 0]
        return found

    def _cluster(self, z: Tensor) -> Tensor:
        return most_probable(self.model, self.exact, z)[:, None]

    def predict(self, x: ArrayLike) -> Prediction:
        """Clusters and scores of points (n, d) in the user's units.

        Raises:
            DataError: for a wrong number of columns or values that are not finite.
        """
        points = check_points(x, self.box.low.numel())
        n, rows = len(points), self.part_rows
        first = self._predict(points[:rows])
        if n <= rows:
            return first
        whole = Prediction(*(np.empty((n, *some.shape[1:]), some.dtype) for some in first))
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            found = self._predict(points[part]) if start else first
            for into, values in zip(whole, found, strict=True):
                into[part] = values
        return whole

    @property
    def part_rows(self) -> int:
        """The number of points in a part of `predict_parts`; depends on the features alone."""
        chunks = _PART_VALUES // (_CHUNK * self.box.low.numel())
        return _CHUNK * max(1, min(_MOST_CHUNKS, chunks))

    def predict_parts(
        self, blocks: Iterable[ArrayLike], *, first_row: int = 0
    ) -> Iterator[Prediction]:
        """Clusters and scores of any number of points, `part_rows` at a time.

        The results equal those of `predict` to the last bit: they depend on the number of points
        that the network computes together, and both methods use the same parts.

            for part in trained.predict_parts(rows for rows, _ in open_rows("large.npy").blocks()):
                ...

        Args:
            blocks: points in the user's units, (k, d), with any k in each block.
            first_row: the row of the first point among all, for errors; a multiple of `part_rows`
                if a prediction continues.

        Raises:
            DataError: for a wrong number of columns or values that are not finite, with the row.
        """
        for part in in_parts(blocks, self.part_rows):
            yield self._predict(check_points(part, self.box.low.numel(), first_row=first_row))
            first_row += len(part)

    @own_state()
    @torch.no_grad()
    def _predict(self, points: Values) -> Prediction:
        outputs = self._in_parts(self._logits_and_base, points)
        # The base would round the differences of logits away where it is huge, far from the data.
        logits, base = outputs[:, :-1], outputs[:, -1:]
        energy = energy_of_logits(logits + base)
        log_density = self._log_scale - energy
        return Prediction(
            logits.argmax(-1).numpy(),
            logits.softmax(-1).numpy(),
            energy.numpy(),
            log_density.numpy(),
        )

    def _logits_and_base(self, z: Tensor) -> Tensor:
        """The logits without the base, and the base, of scaled points, (n, c + 1)."""
        logits: Tensor = self.exact(z, with_base=False)
        base = self.exact.base
        return torch.cat([logits, (logits[:, 0] * 0 if base is None else base(z))[:, None]], 1)

    # --- outliers

    @own_state()
    @torch.no_grad()
    def outlier_scores(self, x: ArrayLike) -> NDArray[np.float64]:
        """How typical points (n, d) in the user's units are, (n,); outliers have low scores.

        It is minus the energy of `gedi.model.outlier_energy`, in nats, about 0 for typical points;
        for images that of their features, see `gedi.model.image_outliers`. Without one, as for
        streamed or fewer than 60 images, it is log p(x).

        Raises:
            DataError: for a wrong number of columns or values that are not finite.
        """
        if self.outliers is None:
            return self.predict(x).log_density
        points = check_points(x, self.box.low.numel())
        scores: NDArray[np.float64] = -self._in_parts(self._outlier_energy, points).numpy()
        return scores[:, 0]

    def _outlier_energy(self, z: Tensor) -> Tensor:
        """The outlier energy of scaled points, (n, 1)."""
        assert self.outliers is not None
        if isinstance(self.outliers, ImageOutlierEnergy):
            return self.outliers.of(self.exact, z)[:, None]
        energy: Tensor = self.outliers(z)
        return energy[:, None]

    @property
    def explains_outliers(self) -> bool:
        """Whether there are reasons for the outlier scores, as for rows of numbers."""
        return self.outliers is not None and not isinstance(self.outliers, ImageOutlierEnergy)

    def outlier_p_values(
        self, scores: ArrayLike, clusters: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """The share of training rows that are at least as unusual, (n,).

            p = (1 + #{i : s_i <= s}) / (m + 1)

        The m scores s_i are those of rows of the training by parts of the model that do not know
        these rows; for images, of rows that the network did not learn from. So new rows like those
        of the training have p <= α with probability α.

        Args:
            scores: the `outlier_scores` of points, (n,).
            clusters: the clusters of the points, (n,), to compare points with training rows of the
                same cluster alone.

        Raises:
            DataError: if the model has no held-out scores, as with fewer than 60 images.
        """
        energy = -torch.from_numpy(np.asarray(scores, dtype=np.float64))
        codes = None if clusters is None else torch.from_numpy(clusters)
        p: NDArray[np.float64] = self._known_outliers("p-values").p_values(energy, codes).numpy()
        return p

    def outlier_threshold(self, alpha: float) -> float:
        """The score below which p-values are at most alpha; -inf with fewer than 1/α - 1 rows.

        Raises:
            DataError: if the model has no held-out scores, as with fewer than 60 images.
        """
        return -self._known_outliers("thresholds by p-values").threshold(alpha)

    @own_state()
    def explain_outliers(self, x: ArrayLike) -> OutlierExplanation:
        """Why points (n, d) in the user's units are unusual, column by column.

        Raises:
            DataError: for images, and models without an outlier energy; and as for `predict`.
        """
        energy = self._known_outliers("explanations")
        if not self.explains_outliers:
            raise DataError(
                "expected a model of rows of numbers for explanations of outliers, but this model "
                "is of images, whose pixels do not explain them one by one: look at the scores"
            )
        points = check_points(x, self.box.low.numel())
        contributions, typical = energy.explain(self.scaling(points, torch.float64))
        return OutlierExplanation(contributions.numpy(), self.scaling.inverse(typical))

    def _known_outliers(self, what: str) -> OutlierEnergy:
        if self.outliers is None:
            raise DataError(
                f"expected a model with an outlier energy for {what} of outliers, but this model "
                "is of streamed images or of fewer than 60 images: train again, with more images "
                "in memory"
            )
        return self.outliers

    @own_state()
    @torch.no_grad()
    def impute(
        self, rows: NDArray[np.float64], generator: Generator, *, draw: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points with their missing values filled in, and standard deviations; (n, d) each.

        Args:
            rows: points (n, d) in the user's units, NaN where missing.
            generator: draws from the conditional law, on the CPU.
            draw: whether to draw values, which obey what is visible, instead of conditional means.

        Raises:
            DataError: without a learned density, or for more than 512 features.
        """
        if self.normalizer is None:
            raise DataError(
                "missing values are filled in by the density of the model, but this model has "
                "learned none: train with w_gen above 0"
            )
        found = impute(self.exact, self.box, self.scaling(rows, torch.float64), generator=generator)
        values = self.scaling.inverse(found.draw if draw else found.mean)
        if draw and self.visible is not None:
            values = self.visible(torch.from_numpy(values)).numpy()
        std = found.std.numpy() * self.scaling.scale.numpy()
        return np.where(np.isnan(rows), values, rows), std

    def embed(self, x: ArrayLike) -> NDArray[np.float64]:
        """The encoder's output for points (n, d) in the user's units, (n, e).

        Raises:
            DataError: for a wrong number of columns or values that are not finite.
        """
        points = check_points(x, self.box.low.numel())
        return self._in_parts(self.exact.embed, points).numpy()

    def _in_parts(self, network: Callable[[Tensor], Tensor], x: Values) -> Tensor:
        """The network's output for points in the user's units, computed in chunks."""
        first: Tensor = network(self._scaled(x[:_CHUNK]))
        # One tensor for all chunks: separate outputs would fragment the memory.
        outputs = first.new_empty(len(x), first.shape[1])
        outputs[:_CHUNK] = first
        for start in range(_CHUNK, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            outputs[part] = network(self._scaled(x[part]))
        return outputs

    def _scaled(self, x: Values) -> Tensor:
        """Points in scaled units, float64; the farthest so near that their squares are finite."""
        return self.scaling(x, torch.float64).clamp_(-FARTHEST, FARTHEST)

    @own_state()
    def sample(
        self,
        n: int,
        *,
        generator: Generator,
        cluster: int | None = None,
        n_steps: int = 100,
        denoise: bool = True,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Points drawn from p(x), or from p(x|y) for one cluster.

        Where the training moved no chains, samples are drawn without any. Otherwise chains start at
        the last positions of the chains of the training (weighted by p(y|x) for p(x|y)) and take
        `n_steps` rounds of the sampler's moves. Then values get what is visible in the data: whole
        numbers, few distinct values, and the observed range of each column.

        Args:
            n: the number of points.
            generator: draws the starts and the moves.
            cluster: the cluster y of p(x|y); None means p(x).
            n_steps: the number of rounds of chains.
            denoise: whether to remove the noise of the training from the points, and to give them
                values that are visible in the data.

        Returns:
            Points (n, d) in the user's units and their most probable clusters (n,).

        Raises:
            ValueError: for a cluster that does not exist.
        """
        if cluster is not None and not 0 <= cluster < self.n_clusters:
            raise ValueError(f"expected a cluster from 0 to {self.n_clusters - 1}, got {cluster}")
        if isinstance(self.model, SamplesDirectly):
            z = self.model.sample(n, generator, () if cluster is None else (cluster,))
        else:
            energy = self.model.energy if cluster is None else self.model.cluster_energy(cluster)
            z = self.run_chains(energy, self._starts(n, cluster, generator), n_steps, generator)
        x = self.finished(z) if denoise else self.scaling.inverse(z)
        with torch.no_grad():
            clusters = self.model(self.scaling(x)).argmax(-1)
        return x, clusters.numpy()

    def finished(self, z: Tensor) -> NDArray[np.float64]:
        """Samples in the user's units, without the noise of the training, with visible values.

        Args:
            z: positions of chains, scaled, (n, d).
        """
        x = self.scaling.inverse(self.denoise(z))
        if self.visible is None:
            return x
        seen: NDArray[np.float64] = self.visible(torch.from_numpy(x)).numpy()
        return seen

    @own_state()
    def run_chains(self, energy: Energy, z: Tensor, n_steps: int, generator: Generator) -> Tensor:
        """Advance chains (n, d) in scaled units by `n_steps` rounds of the sampler's moves."""
        chains = evaluate(energy, z)
        for _ in range(n_steps):
            chains = self.sampler.step(energy, chains, generator)
        return chains.x

    @own_state()
    def denoise(self, z: Tensor) -> Tensor:
        """Remove the noise of the training from samples by subtracting its expectation.

        Args:
            z: points, scaled, (n, d).
        """
        if self.smoothing.scale == 0:
            return z
        return self.smoothing.denoise(z, evaluate(self.model.energy, z).gradient)

    @torch.no_grad()
    def _starts(self, n: int, cluster: int | None, generator: Generator) -> Tensor:
        if cluster is None:
            weights = torch.ones(len(self.chains))
        else:
            weights = self.model.posterior(self.chains)[:, cluster].clamp_min(1e-12)
        return self.chains[torch.multinomial(weights, n, replacement=True, generator=generator)]


def most_probable(model: EnergyClassifier, exact: EnergyClassifier, z: Tensor) -> Tensor:
    """The most probable clusters of points (n, d), (n,), as `exact` gives them.

    Most points are far from a boundary. Their clusters are those of the faster network.

    Args:
        model: the network in float32, without members.
        exact: the same in float64.
        z: scaled points, float64.
    """
    logits: Tensor = model(z.float(), with_base=False)
    found = logits.argmax(-1)
    best = logits.topk(min(2, logits.shape[-1])).values
    sure = best[:, 0] - best[:, -1] > _ROUNDED * (0.1 + logits.abs().amax(-1))
    unsure = (~sure).nonzero()[:, 0]  # not-a-number is unsure, too
    if len(unsure):
        found[unsure] = exact(z[unsure], with_base=False).argmax(-1)
    return found


def confidence(
    probabilities: NDArray[np.float64], cluster_p_values: NDArray[np.float64], alpha: float = 0.05
) -> NDArray[np.float64]:
    """How sure the cluster of each point is, from 0 to 1, (n,).

        max_y p(y|x) min(1, p_cluster(x) / α)

    p(y|x) compares the clusters with each other: far from all of them it is 1 for one, too. So it
    is lowered for points that are more unusual than all but a share α of the rows of that cluster.

    Args:
        probabilities: p(y|x), (n, c).
        cluster_p_values: p-values of the points within their most probable cluster, (n,).
        alpha: share of the rows of a cluster.
    """
    sure: NDArray[np.float64] = probabilities.max(1) * np.minimum(1.0, cluster_p_values / alpha)
    return sure
