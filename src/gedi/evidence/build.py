"""The evidence of a training: known classes, or groups under a rule, some in each iteration."""

import numpy as np
import torch
from numpy.typing import NDArray

from gedi.data.points import Points
from gedi.evidence.groups import Groups, RuleEvidence
from gedi.evidence.labels import Evidence, Labels

__all__ = ["GROUP_SHARE", "LABEL_SHARE", "build_evidence", "n_known", "rule_evidence"]

LABEL_SHARE = 0.25  # labelled points in an iteration, as a share of its batch
GROUP_SHARE = 0.5  # inputs of groups in an iteration, as a share of its batch


def build_evidence(
    data: Points,
    *,
    classes: NDArray[np.int64] | None,
    groups: Groups | None,
    batch_size: int,
    n_processes: int,
) -> Evidence | None:
    """Batches of what is known; None where nothing is.

    Where one batch holds all that is known, every process has all of it: their mean is the same.

    Args:
        data: all points.
        classes: known classes, -1 where unknown, (n,).
        groups: points that are seen together and obey a rule, in place of classes.
        batch_size: points in an iteration, of all processes.
        n_processes: how many share them.
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
    return Labels(data[known], codes[known], size)


def rule_evidence(groups: Groups, data: Points, batch_size: int) -> RuleEvidence:
    """Batches of so many groups, on the device of the data."""
    rows, codes = groups.rows.to(data.device), groups.codes.to(data.device)
    return RuleEvidence(data, Groups(groups.rule, rows, codes), batch_size)


def n_known(share: float, batch_size: int, size: int = 1) -> int:
    """Labels, or groups of `size` inputs, that come with a batch: at least one."""
    return max(1, int(share * batch_size) // size)
