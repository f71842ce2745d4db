"""SwAV: the assignment of one view to prototypes, predicted from the other view.

It is implemented for comparison. Its prototypes are its clusters; Sinkhorn codes assign an equal
share of the points to each, which is the role of PRIOR in GEDI. Source: Caron et al., NeurIPS 2020,
https://arxiv.org/abs/2006.09882.
"""

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from gedi.distributed import log_mean_exp, mean

__all__ = ["sinkhorn_codes", "swav_loss"]


@torch.no_grad()
def sinkhorn_codes(scores: Tensor, epsilon: float = 0.05, n_iterations: int = 3) -> Tensor:
    """Soft assignments Q of points to prototypes, with about n/c points for each prototype.

    Q maximises Σ_jy Q_jy s_jy + ε H(Q) under the constraint of equal shares (Cuturi, NeurIPS 2013,
    https://arxiv.org/abs/1306.0895). Columns and rows are normalised in turn, rows last. This is
    done in log space, so that no score overflows and no prototype becomes empty. The points are
    those of all processes.

    Args:
        scores: the similarities s of points to prototypes, (..., n, c).
        epsilon: the weight ε of the entropy; codes are closer to one-hot if it is small.
        n_iterations: the number of times that columns and rows are normalised.

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
    """The loss of swapped predictions, the mean of CE(Q1, p2) and CE(Q2, p1), in nats per point.

    Q are the Sinkhorn codes of the scores of one view, and p = softmax(s / τ) is the prediction
    from the other view.

    Args:
        scores1: similarities of the embeddings of one view to the prototypes, (..., n, c).
        scores2: similarities for the other view of the same points, (..., n, c).
        temperature: the temperature of the predictions, τ.
        epsilon: see `sinkhorn_codes`.
        n_iterations: see `sinkhorn_codes`.

    Returns:
        The loss, (...). Gradients flow through the predictions, but not through the codes.

    Raises:
        ValueError: if the temperature or ε is not positive.
    """
    if temperature <= 0 or epsilon <= 0:
        raise ValueError(
            f"expected temperature > 0 and epsilon > 0, got {temperature} and {epsilon}"
        )

    def predicted(scores: Tensor, by: Tensor) -> Tensor:
        codes = sinkhorn_codes(scores, epsilon, n_iterations)
        return -mean((codes * log_softmax(by / temperature, -1)).sum(-1).mean(-1))

    return (predicted(scores1, scores2) + predicted(scores2, scores1)) / 2
