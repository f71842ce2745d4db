"""`GEDIClassifier`: the same network if some labels are known."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp
from sklearn.base import ClassifierMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y

from gedi.errors import DataError
from gedi.estimators.base import BaseGEDI
from gedi.estimators.calibration import neighbours_temperature
from gedi.estimators.inputs import kept_pairs, pairs_of, weights_of, without_blank
from gedi.training.custom import Custom

__all__ = ["GEDIClassifier", "encode_labels"]

_SMOOTHING = 10.0  # points that are added to each class


@dataclass(kw_only=True, eq=False, repr=False)
class GEDIClassifier(ClassifierMixin, BaseGEDI):  # type: ignore[misc]
    """A classifier for partly labelled data that also learns the density and draws samples.

        w_gen GEN + w_inv INV + w_prior PRIOR + w_evidence E_labelled[ log p(y|x) ]

    The clusters are the classes: labelled points name them, and all points shape them. Unknown
    labels are missing (None, NaN or NA) or -1, as in scikit-learn's semi-supervised learning. If
    all known labels are -1 or 1, these are taken for two classes, as one class alone leaves nothing
    to classify.

    Args:
        w_evidence: weight of the labels.
        class_weight: weights of the classes, by class, or "balanced" for the inverse of their
            shares among the labels; they multiply the weights of labelled points in all terms.
        prior: shares of the classes; None: those among the labels, with ten points added to each.
        ...: those of `BaseGEDI`.

    Attributes:
        classes_: the class of each cluster, (c,).
        temperature_: T in p(y|x) = softmax f(x) / T. INV makes p(y|x) overconfident, which T
            corrects. T is fitted without further labels: on the nearest neighbours of the labelled
            points and, if there are few labels, on the agreement between neighbours.
        labels_: most probable class of each training point, also of unlabelled ones, (n,).
        ...: those of `BaseGEDI`.

    Example:
        >>> from gedi import GEDIClassifier
        >>> from sklearn.datasets import make_moons
        >>> X, y = make_moons(500, noise=0.05, random_state=0)
        >>> y[10:] = -1
        >>> model = GEDIClassifier(max_iter=50, random_state=0).fit(X, y)
        >>> model.predict(X).shape
        (500,)
    """

    w_evidence: float = 1.0
    class_weight: Any = None

    def fit(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any = None,
        *,
        positives: Any = None,
    ) -> Self:
        """Train on points of which some are labelled.

        Args:
            X: points (n, d), or images (n, H, W) or (n, C, H, W), or texts; see `gedi.GEDI.fit`.
            y: class of each point, of any type, or None, NaN, NA or -1 if it is not known, (n,).
            sample_weight: weight of each point in all terms; see `gedi.GEDI.fit`.
            positives: rows that belong to the same class; see `gedi.GEDI.fit`.

        Raises:
            ValueError: for points, labels or parameters that cannot be used.
        """
        rows, input_shape = self._checked(X)
        classes, codes = encode_labels(y)
        check_consistent_length(rows, codes)
        if self._goes_on() and not np.array_equal(classes, self.classes_):
            raise DataError(
                f"y: expected the classes {self.classes_.tolist()} of the fitted model, as "
                f"warm_start is set, got {classes.tolist()}"
            )
        weights = without_blank(X, self._weights(sample_weight, rows, classes, codes))
        kept = np.ones(len(rows), dtype=bool) if weights is None else weights > 0
        own = None if weights is None else (weights / weights[kept].mean())[codes >= 0]
        known = np.bincount(codes[codes >= 0], own, minlength=len(classes))
        counts = known + _SMOOTHING
        clusters = self._train(
            rows,
            input_shape,
            n_clusters=len(classes),
            prior=counts / counts.sum() if self.prior is None else self.prior,
            custom=Custom(
                positives=kept_pairs(pairs_of(positives, len(rows)), kept),
                classes=codes[kept],
            ),
            weights=weights,
        )
        self.classes_ = classes
        self.labels_ = classes[clusters]
        z = self.model_.scaling(rows).numpy()
        logits = self.model_.logits(rows).numpy()
        self.temperature_ = neighbours_temperature(
            z[kept],
            logits[kept],
            codes[kept],
            self.settings_.seed,
            None if weights is None else weights[kept] / weights[kept].mean(),
        )
        return self

    def _weights(
        self,
        sample_weight: Any,
        rows: NDArray[np.floating],
        classes: NDArray[Any],
        codes: NDArray[np.int64],
    ) -> NDArray[np.float64] | None:
        """The weights of points times those of their classes, (n,), or None if all are the same."""
        if self.class_weight is None:
            return weights_of(sample_weight, rows)
        of_class = compute_class_weight(
            self.class_weight, classes=classes, y=classes[codes[codes >= 0]]
        )
        points = np.ones(len(rows)) if sample_weight is None else weights_of(sample_weight, rows)
        points = np.ones(len(rows)) if points is None else points
        return weights_of(points * np.where(codes >= 0, of_class[codes], 1.0), rows)

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Log p(y|x) in nats, (n, c).

        Args:
            X: points (n, d), or images as they were fitted.
        """
        rows = self._rows(X)
        logits = self.model_.logits(rows, with_base=False).numpy()
        result: NDArray[np.float64] = log_softmax(logits / self.temperature_, axis=1)
        return result

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """p(y|x) = softmax f(x) / T with T = `temperature_`, (n, c).

        Args:
            X: points (n, d), or images as they were fitted.
        """
        probabilities: NDArray[np.float64] = np.exp(self.predict_log_proba(X))
        return probabilities

    def decision_function(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Log-odds of the second of two classes, (n,), or of each class against all others, (n, c).

        To find outliers, use `predict_outliers`.

        Args:
            X: points (n, d), or images as they were fitted.
        """
        log_p = self.predict_log_proba(X)
        if log_p.shape[1] == 1:
            return np.zeros(len(log_p))
        if log_p.shape[1] == 2:
            odds: NDArray[np.float64] = log_p[:, 1] - log_p[:, 0]
            return odds
        others: list[NDArray[np.float64]] = [
            logsumexp(np.delete(log_p, k, axis=1), axis=1) for k in range(log_p.shape[1])
        ]
        return np.subtract(log_p, np.stack(others, axis=1))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class EncodedLabels(NamedTuple):
    """Classes and the code of each label.

    Attributes:
        classes: sorted, (c,).
        codes: index of each label among the classes; -1 if unknown, (n,).
    """

    classes: NDArray[Any]
    codes: NDArray[np.int64]


def encode_labels(y: Any) -> EncodedLabels:
    """Split labels into known classes and unknown ones.

    Unknown are -1, "-1" and missing values: None, NaN, NA of pandas and null of polars.

    Raises:
        ValueError: for labels that are continuous or infinite, or all unknown.
    """
    if y is None:
        raise DataError(
            "GEDIClassifier requires y to be passed, but the target y is None; use GEDI if no "
            "label is known"
        )
    labels, missing = _labels(y)
    if labels.dtype.kind in "fc":
        _check_y(labels[~missing])
    unknown = missing.copy()
    unknown[~missing] = [label in (-1, "-1") for label in labels[~missing].tolist()]
    known = _alike(labels[~unknown])
    if len(known) == 0:
        raise DataError(
            "y: every label is -1 or missing, so unknown; use GEDI if no label is known"
        )
    check_classification_targets(known)
    if (unknown & ~missing).any() and len(np.unique(known)) == 1:  # two classes, coded -1 and 1
        unknown = missing
        known = _alike(labels[~unknown])
    classes, found = np.unique(known, return_inverse=True)
    codes = np.full(len(labels), -1, dtype=np.int64)
    codes[~unknown] = found
    if labels.dtype == object and classes.dtype.kind == "U":
        classes = classes.astype(object)
    return EncodedLabels(classes, codes)


def _labels(y: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Labels (n,), and which of them are missing, (n,)."""
    import pandas as pd  # noqa: PLC0415

    if hasattr(y, "detach"):
        y = y.detach().cpu().numpy()
    if np.ma.isMaskedArray(y):
        return column_or_1d(np.asarray(y)), np.ma.getmaskarray(y).ravel()
    if isinstance(y, (list, tuple)):
        y = np.array(y, dtype=object)  # an array of text would hold 'nan'
    elif hasattr(y, "to_pandas") and (hasattr(y, "to_pylist") or hasattr(y, "to_list")):
        listed = y.to_pylist() if hasattr(y, "to_pylist") else y.to_list()
        y = np.array(listed, dtype=object)
    if isinstance(y, (pd.Series, pd.Categorical)) and not isinstance(y.dtype, np.dtype):
        y = np.asarray(y, dtype=object)
    labels = column_or_1d(y, warn=True)
    return labels, np.asarray(pd.isna(labels), dtype=bool)


def _alike(labels: NDArray[Any]) -> NDArray[Any]:
    """Objects as an array of their own type.

    Raises:
        DataError: for text together with numbers.
    """
    if labels.dtype != object:
        return labels
    values = labels.tolist()
    if len({isinstance(value, str) for value in values}) > 1:
        raise DataError("y: expected labels of one type, got text together with other values")
    return np.array(values)
