"""Trained models: clusters, scores and samples in the user's units."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Generator, Tensor

from gedi.data.dataset import Values
from gedi.data.rows import in_parts
from gedi.data.values import check_points
from gedi.model import EnergyClassifier, energy_of_logits
from gedi.model.box import Box
from gedi.model.scaling import Scaling
from gedi.model.smoothing import Smoothing
from gedi.normalizer.estimate import LogNormalizer
from gedi.sampling import Energy, Move, evaluate

__all__ = ["Prediction", "TrainedModel"]

_CHUNK = 1024  # points at a time, so that memory does not grow with the data
_PART_VALUES = 2**22  # numbers in the points that are predicted together, 32 MiB
_MOST_CHUNKS = 64
_FAR = 1e18  # scaled units; the energy of farther points may be a difference of infinities


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
    """

    model: EnergyClassifier
    scaling: Scaling
    box: Box
    sampler: Move
    chains: Tensor
    log_prior: Tensor
    normalizer: LogNormalizer | None = None
    smoothing: Smoothing = Smoothing()

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

    @torch.no_grad()
    def logits(self, x: ArrayLike) -> Tensor:
        """f(x) of points (n, d) in the user's units, (n, c), float64.

        Raises:
            DataError: for a wrong number of columns or values that are not finite.
        """
        return self._in_parts(self.exact, check_points(x, self.box.low.numel()))

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

    @torch.no_grad()
    def _predict(self, points: Values) -> Prediction:
        logits = self._in_parts(self.exact, points)
        energy = energy_of_logits(logits)
        log_density = self._log_scale - energy
        return Prediction(
            logits.argmax(-1).numpy(),
            logits.softmax(-1).numpy(),
            energy.numpy(),
            log_density.numpy(),
        )

    @torch.no_grad()
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
        """Points in scaled units, so bounded that energies of any finite point are finite."""
        return self.scaling(x, torch.float64).clamp(-_FAR, _FAR)

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

        Chains start at the last positions of the chains of the training (weighted by p(y|x) for
        p(x|y)) and take `n_steps` rounds of the sampler's moves.

        Args:
            n: the number of points.
            generator: draws the starts and the moves.
            cluster: the cluster y of p(x|y); None means p(x).
            n_steps: the number of rounds.
            denoise: whether to remove the noise of the training from the points.

        Returns:
            Points (n, d) in the user's units and their most probable clusters (n,).

        Raises:
            ValueError: for a cluster that does not exist.
        """
        if cluster is not None and not 0 <= cluster < self.n_clusters:
            raise ValueError(f"expected a cluster from 0 to {self.n_clusters - 1}, got {cluster}")
        energy = self.model.energy if cluster is None else self.model.cluster_energy(cluster)
        z = self.run_chains(energy, self._starts(n, cluster, generator), n_steps, generator)
        if denoise:
            z = self.denoise(z)
        with torch.no_grad():
            clusters = self.model(z).argmax(-1)
        return self.scaling.inverse(z), clusters.numpy()

    def run_chains(self, energy: Energy, z: Tensor, n_steps: int, generator: Generator) -> Tensor:
        """Advance chains (n, d) in scaled units by `n_steps` rounds of the sampler's moves."""
        chains = evaluate(energy, z)
        for _ in range(n_steps):
            chains = self.sampler.step(energy, chains, generator)
        return chains.x

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
