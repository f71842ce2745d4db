"""Building the evidence of a training: batches of known classes, or of groups under a rule."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from gedi.data.points import Points
from gedi.evidence.groups import Groups, RuleEvidence
from gedi.evidence.labels import Evidence, Labels

__all__ = ["GROUP_SHARE", "LABEL_SHARE", "build_evidence", "n_known", "rule_evidence"]

LABEL_SHARE = 0.25  # labelled points in an iteration, as a share of the batch size
GROUP_SHARE = 0.5  # inputs of groups in an iteration, as a share of the batch size


def build_evidence(
    data: Points,
    *,
    classes: NDArray[np.int64] | None,
    groups: Groups | None,
    weights: NDArray[np.float64] | None = None,
    batch_size: int,
    n_processes: int,
) -> Evidence | None:
    """Build the source of batches of evidence; None if nothing is known.

    If one batch holds all of the evidence, every process uses all of it, which leaves the mean over
    processes unchanged.

    Args:
        data: all points.
        classes: known classes, -1 if unknown, (n,).
        groups: groups of points that obey a rule, instead of classes.
        weights: the weights of all points, (n,); None means 1 for all. Groups have their own.
        batch_size: the number of points in an iteration, over all processes.
        n_processes: the number of processes that share them.
    """
    if groups is not None:
        n_symbols = groups.rule.n_symbols
        size = n_known(GROUP_SHARE, batch_size, n_symbols)
        if len(groups.rows) > size:
            size = n_known(GROUP_SHARE, batch_size // n_processes, n_symbols)
        return rule_evidence(groups, data, size)
    if classes is None:
        return None
    codes = torch.from_numpy(classes).to(data.device)
    known = codes >= 0
    size = n_known(LABEL_SHARE, batch_size)
    if int(known.sum()) > size:
        size = n_known(LABEL_SHARE, batch_size // n_processes)
    if weights is None:
        return Labels(data[known], codes[known], size)
    own = torch.from_numpy(weights[classes >= 0]).float().to(data.device)
    return Labels(data[known], codes[known], size, own / own.mean())


def rule_evidence(groups: Groups, data: Points, batch_size: int) -> RuleEvidence:
    """Build evidence from groups, on the device of the data, in batches of this many groups."""
    rows, codes = groups.rows.to(data.device), groups.codes.to(data.device)
    return RuleEvidence(data, replace(groups, rows=rows, codes=codes), batch_size)


def n_known(share: float, batch_size: int, size: int = 1) -> int:
    """The number of labels, or of groups of `size` inputs, in an iteration: at least one."""
    return max(1, int(share * batch_size) // size)
