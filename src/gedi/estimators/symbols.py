"""`GEDISymbols`: clusters that get their meaning from a rule over groups of inputs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from gedi.errors import DataError, RuleError, RunError
from gedi.estimators.base import BaseGEDI
from gedi.estimators.grouped import (
    array_of,
    check_rule,
    check_values,
    codes_of,
    inputs_of,
    with_others,
)
from gedi.estimators.inputs import weights_of
from gedi.evidence.groups import Groups, likeliest_outcomes, outcome_log_probabilities
from gedi.rules import SymbolicRule
from gedi.rules.outcomes import listed, shown
from gedi.training.custom import Custom

__all__ = ["GEDISymbols", "OutcomePrediction"]


class OutcomePrediction(NamedTuple):
    """The most probable outcomes of m groups.

    Attributes:
        outcomes: the most probable outcome of each group, (m,).
        probabilities: P(outcome | x_1, ..., x_k) of these outcomes, (m,).
    """

    outcomes: NDArray[Any]
    probabilities: NDArray[np.float64]


@dataclass(kw_only=True, eq=False, repr=False)
class GEDISymbols(BaseGEDI):
    """Symbols of single inputs, learned from the outcomes of a rule over groups of inputs.

        w_gen GEN + w_inv INV + w_prior PRIOR
            + w_evidence E_groups[ log Σ_{worlds that agree} Π_i p(y_i | x_i) ]

    For example, the sum of two images of digits is known, but no digit is labelled. The rule gives
    the clusters their meaning, and all inputs shape them (Sansone & Manhaeve, TMLR 2025). Value j
    of the rule's symbols is cluster j. The rule has to determine the symbols: with "the sum is
    odd", any two even digits could be swapped.

    `fit` takes groups in place of single inputs, so scikit-learn's `check_estimator` does not
    apply. All other methods take single inputs, unless their argument is called `groups`. With
    `score`, the estimator can be cross-validated over groups, with the rule as a parameter of
    `fit`.

    Args:
        w_evidence: weight of the rule.
        ...: those of `BaseGEDI`.

    Attributes:
        classes_: the value of each cluster, in the order of the rule, (c,).
        rule_: the rule of the last fit; `save` does not store it.
        labels_: most probable symbol of each input of the groups, (m, k).
        satisfaction_: mean probability of the observed outcomes, over the training groups.
        ...: those of `BaseGEDI`.

    Example:
        >>> import numpy as np
        >>> from gedi import GEDISymbols, sum_rule
        >>> rng = np.random.default_rng(0)
        >>> symbols = rng.integers(3, size=(60, 2))
        >>> heaps = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
        >>> groups = heaps[symbols] + rng.normal(size=(60, 2, 2))
        >>> model = GEDISymbols(max_iter=50, random_state=0)
        >>> model.fit(groups, symbols.sum(axis=1), rule=sum_rule(2, 3)).labels_.shape
        (60, 2)
    """

    w_evidence: float = 1.0

    def fit(
        self,
        groups: Any,
        outcomes: Any = None,
        sample_weight: Any = None,
        *,
        rule: SymbolicRule,
        unlabelled: Any = None,
    ) -> Self:
        """Train on groups of inputs and their observed outcomes.

        Args:
            groups: (m, k, d), or images (m, k, H, W) or (m, k, C, H, W), for the k symbols of the
                rule in their order.
            outcomes: the observed outcome of each group, one of those of the rule, (m,); None if it
                is only known that the rule holds.
            sample_weight: weight of each group and of its inputs, (m,); unlabelled inputs have the
                mean weight. See `gedi.GEDI.fit`.
            rule: the rule that connects symbols and outcomes.
            unlabelled: further inputs that belong to no group: (n, d), (n, H, W) or (n, C, H, W).

        Raises:
            RuleError: for groups of another size than the rule's, outcomes that it does not know,
                or with `warm_start` a rule over other values.
            DataError: for inputs or outcomes that cannot be used.
            SettingsError: for parameters that cannot be used.
        """
        check_rule(rule)
        if self._goes_on():
            check_values(rule, self.classes_.tolist())
        inputs = inputs_of(groups, rule.n_symbols)
        shape = len(inputs) // rule.n_symbols, rule.n_symbols
        codes = codes_of(outcomes, rule, shape[0])
        everything = with_others(inputs, unlabelled)
        rows, input_shape = self._checked(everything)
        of_groups = weights_of(sample_weight, np.empty((shape[0], 1)))
        weights = None
        used = np.ones(shape[0], dtype=bool) if of_groups is None else of_groups > 0
        if of_groups is not None:
            others = np.full(len(rows) - len(inputs), of_groups.mean())
            weights = np.concatenate([of_groups.repeat(rule.n_symbols), others])
            of_groups = of_groups[used] / of_groups[used].mean()
        members = torch.arange(used.sum() * rule.n_symbols).reshape(-1, rule.n_symbols)
        known = Groups(
            rule,
            members,
            codes[torch.from_numpy(used)],
            None if of_groups is None else torch.from_numpy(of_groups).float(),
        )
        clusters = self._train(
            rows,
            input_shape,
            n_clusters=rule.n_values,
            prior=self.prior,
            custom=Custom(groups=known),
            weights=weights,
        )
        self.rule_ = rule
        self.classes_ = array_of(rule.values)
        self.labels_ = self.classes_[clusters[: len(inputs)].reshape(shape)]
        logits = self.model_.logits(rows[: len(inputs)])
        self.satisfaction_ = float(outcome_log_probabilities(rule, logits, codes).exp().mean())
        return self

    def fit_transform(
        self, groups: Any, outcomes: Any = None, **fit_params: Any
    ) -> NDArray[np.float64]:
        """Train, and return the embeddings of the inputs of the groups, (m, k, e).

        Args:
            groups: see `fit`.
            outcomes: see `fit`.
            **fit_params: the rule and other arguments of `fit`.
        """
        self.fit(groups, outcomes, **fit_params)
        embedded = self.transform(inputs_of(groups, self.rule_.n_symbols))
        return embedded.reshape(*self.labels_.shape, -1)

    @property
    def outcomes_(self) -> tuple[Any, ...]:
        """All outcomes of the rule of the last fit, in order."""
        return self.rule_.outcomes

    # --- single inputs

    def sample(  # type: ignore[override]
        self, n_samples: int = 1, *, symbol: Any = None
    ) -> tuple[Any, NDArray[Any]]:
        """Inputs drawn from p(x), or from p(x|y) of one symbol.

        With a fixed `random_state`, every call returns the same inputs.

        Args:
            n_samples: number of samples.
            symbol: one of `classes_`; None for all.

        Returns:
            Points (n_samples, d), or images as they were fitted, and their symbols (n_samples,).

        Raises:
            ValueError: for fewer than one sample, or a symbol that does not exist.
        """
        check_is_fitted(self)
        if symbol is None:
            return super().sample(n_samples)
        values = self.classes_.tolist()
        if symbol not in values:
            raise DataError(f"symbol: expected {listed(values)}, got {shown(symbol)}")
        return super().sample(n_samples, cluster=values.index(symbol))

    # --- groups

    def rule_log_probability(
        self, groups: Any, outcomes: Any = None, *, rule: SymbolicRule | None = None
    ) -> NDArray[np.float64]:
        """Log P(outcome | x_1, ..., x_k) of each group in nats, (m,).

        Args:
            groups: see `fit`.
            outcomes: see `fit`.
            rule: any rule over the same values, with as many symbols as the groups have; None: the
                rule of the last fit, which a loaded estimator does not have.

        Raises:
            RuleError: for a rule over other values or a missing rule; and as for `fit`.
            DataError: for groups or outcomes that cannot be used.
        """
        known, logits = self._read(groups, rule)
        codes = codes_of(outcomes, known, len(logits) // known.n_symbols)
        found: NDArray[np.float64] = outcome_log_probabilities(known, logits, codes).numpy()
        return found

    def predict_outcome(
        self, groups: Any, *, rule: SymbolicRule | None = None
    ) -> OutcomePrediction:
        """The most probable outcome of each group, and its probability.

        It computes the probability of every outcome of the rule, so it is slow for rules with many
        thousands of outcomes.

        Args:
            groups: see `fit`.
            rule: see `rule_log_probability`.

        Raises:
            RuleError: as for `rule_log_probability`.
            DataError: for groups that cannot be used.
        """
        known, logits = self._read(groups, rule)
        found = likeliest_outcomes(known, logits)
        outcomes = array_of(known.outcomes)[found.codes.numpy()]
        return OutcomePrediction(outcomes, found.log_probabilities.exp().numpy())

    def score(
        self, groups: Any, outcomes: Any = None, *, rule: SymbolicRule | None = None
    ) -> float:
        """Mean of `rule_log_probability`, in nats.

        Args:
            groups: see `fit`.
            outcomes: see `fit`.
            rule: see `rule_log_probability`.
        """
        return float(self.rule_log_probability(groups, outcomes, rule=rule).mean())

    # --- storage

    def save(self, path: str | Path) -> None:
        """Write a folder, like `gedi.GEDI.save`; the rule is not stored.

        A loaded estimator predicts symbols as before. Methods for groups need the rule again, as in
        `rule_log_probability(groups, outcomes, rule=rule)`.

        Args:
            path: the folder.

        Raises:
            RunError: if the path holds anything else or cannot be written, or values of symbols are
                neither numbers nor text.
        """
        check_is_fitted(self)
        for value in self.classes_.tolist():
            if not isinstance(value, bool | int | float | str):
                raise RunError(
                    "expected symbols whose values are numbers or text, as no others are stored; "
                    f"got {shown(value)}"
                )
        super().save(path)

    def _read(self, groups: Any, rule: SymbolicRule | None) -> tuple[SymbolicRule, Tensor]:
        """The rule to use, and the logits of all inputs, (m * k, c)."""
        check_is_fitted(self)
        if rule is None:
            known: SymbolicRule | None = getattr(self, "rule_", None)
            if known is None:
                raise RuleError(
                    "rule: expected the rule, as it is not stored with an estimator; pass it as "
                    "rule=..."
                )
        else:
            check_rule(rule)
            check_values(rule, self.classes_.tolist())
            known = rule
        rows = self._rows(inputs_of(groups, known.n_symbols))
        return known, self.model_.logits(rows)
