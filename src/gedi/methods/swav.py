"""SwAV: the prototype that one view is assigned to, predicted from the other view.

A rival to compare with. Its prototypes are its clusters; the Sinkhorn codes share the points out
equally among them, where GEDI has PRIOR.
"""

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from gedi.distributed import log_mean_exp, mean

__all__ = ["sinkhorn_codes", "swav_loss"]


@torch.no_grad()
def sinkhorn_codes(scores: Tensor, epsilon: float = 0.05, n_iterations: int = 3) -> Tensor:
    """Soft assignments Q of points to prototypes, each prototype with about n/c of them.

    Q maximises Σ_jy Q_jy s_jy + ε H(Q) under the equal shares (Cuturi, NeurIPS 2013; for codes:
    Caron et al., NeurIPS 2020). Columns and rows are normalised in turn, rows last; in log space,
    so that no score overflows and no prototype goes empty. The points are those of all processes.

    Args:
        scores: s, similarities of points to prototypes, (..., n, c).
        epsilon: ε; smaller is nearer to one-hot.
        n_iterations: how often columns and rows are normalised.

    Returns:
        Codes whose rows sum to 1, (..., n, c), without gradients.
    """
    log_codes = scores / epsilon
    for _ in range(n_iterations):
        log_codes = log_codes - log_mean_exp(log_codes.logsumexp(-2, keepdim=True))
        log_codes = log_codes - log_codes.logsumexp(-1, keepdim=True)
    return log_codes.softmax(-1)


def swav_loss(
    scores1: Tensor,
    scores2: Tensor,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    n_iterations: int = 3,
) -> Tensor:
    """Swapped prediction: the mean of CE(Q1, p2) and CE(Q2, p1), in nats per point.

    Q are the Sinkhorn codes of one view's scores, p = softmax(s / τ) the prediction of the other
    (Caron et al., NeurIPS 2020).

    Args:
        scores1: similarities of one view's embeddings to the prototypes, (..., n, c).
        scores2: those of the other view of the same points, (..., n, c).
        temperature: τ.
        epsilon: of the codes.
        n_iterations: of the codes.

    Returns:
        The loss, (...). Gradients flow through the predictions, not the codes.

    Raises:
        ValueError: for a temperature or ε that is not positive.
    """
    if temperature <= 0 or epsilon <= 0:
        raise ValueError(f"expected temperature, epsilon > 0, got {temperature} and {epsilon}")

    def predicted(scores: Tensor, by: Tensor) -> Tensor:
        codes = sinkhorn_codes(scores, epsilon, n_iterations)
        return -mean((codes * log_softmax(by / temperature, -1)).sum(-1).mean(-1))

    return (predicted(scores1, scores2) + predicted(scores2, scores1)) / 2
