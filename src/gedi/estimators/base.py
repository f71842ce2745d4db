"""The base of all estimators: parameters, training, density, outliers, samples and storage."""

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import ClassifierTags, check_array
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Generator, Tensor, nn

from gedi.data.columns import ColumnPlan
from gedi.data.dataset import Dataset, has_distinct_rows
from gedi.data.values import checked_rows, value_range_of
from gedi.errors import DataError, NormalizerWarning, SettingsError
from gedi.estimators.docstrings import inherited
from gedi.estimators.frames import (
    features_of,
    frame_of,
    framed,
    imputed_frame,
    learn_features,
    with_left_out,
)
from gedi.estimators.hub import HubMixin
from gedi.estimators.inputs import (
    flatten,
    functions_of,
    image_shape_of,
    kinds_of,
    network_name,
    refuse_local_functions,
    seed_of,
    split_views,
    transformer_of,
    whole,
)
from gedi.estimators.storage import load_estimator, save_estimator
from gedi.evaluation.reasons import of_columns
from gedi.evaluation.symptoms import settled
from gedi.export import Agreement, export
from gedi.methods import Method
from gedi.settings import EncoderSettings, Range, Settings, ViewSettings, check
from gedi.settings.presets import NEUTRAL
from gedi.training.custom import Custom
from gedi.training.hooks import Hook, Record
from gedi.training.plan import plan_views
from gedi.training.progress import Progress
from gedi.training.session import Fit, Session, start
from gedi.training.trained import OutlierExplanation, TrainedModel, confidence

__all__ = ["BaseGEDI"]

_FLOATS = [np.float64, np.float32]
_SHARE = Range(1e-30, 0.5, "a share above 0 and up to 0.5")
_ALPHA = 0.05  # share of false alarms, unless another is asked for
# Names of parameters in messages, by the names of their settings.
_CALLED = {
    "encoder.hidden": "encoder",
    "restarts.n": "n_restarts",
    "seed": "random_state",
    "weights.evidence": "w_evidence",
    "weights.gen": "w_gen",
    "weights.inv": "w_inv",
    "weights.prior": "w_prior",
}


@dataclass(kw_only=True, eq=False, repr=False)
class BaseGEDI(HubMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Training, density, outliers, samples and storage of all estimators.

    Parameters are fields, so that `dataclass` writes the constructor of each estimator. They and
    the learned attributes are documented here; the docstrings of the estimators include them.

    Args:
        prior: shares of the clusters: c positive numbers, "uniform" for equal shares, or "learned".
            None: chosen from the data, see `gedi.plan`.
        w_gen: weight of the log-likelihood; 0 is GEDI no gen. None: chosen from the data, see
            `gedi.plan`.
        w_inv: weight of the agreement between views. With w_prior, 0 is JEM without labels.
        w_prior: weight of the balance of the clusters. None: chosen from the data, see `gedi.plan`.
        encoder: widths of the hidden layers; or a module that maps batches of points (or of images
            (n, C, H, W)) to features; or the name of a kind, such as "conv" or one of a plug-in.
            None: chosen from the data, see `gedi.plan`.
        method: a `gedi.Method`, or the name of one: "gedi", "barlow-twins", "swav" or one
            of a plug-in. None: the method of `settings`, which is gedi by default.
        views: small changes that should not change the cluster: names among "noise", "dropout",
            "adversarial", "neighbours" and, for images, "image", or names of plug-ins; functions
            that map a batch in the units of X to another one; or a list of both. None: chosen from
            the data, see `gedi.plan`.
        contamination: share of points like those of the training that fall below `offset_`, the
            threshold of `predict_outliers` without alpha. None: 0.05.
        max_iter: maximum number of iterations. None: chosen from the data, see `gedi.plan`.
        max_time: maximum number of seconds of `fit`, from 5 on. None: no limit.
        tol: gain in bound and gap, in nats, that counts as progress.
        n_restarts: number of networks that are trained together at first; the best one, or with
            more than 100 features their consensus, is trained further. None: chosen from the data,
            see `gedi.plan`.
        batch_size: number of points, and of chains, in each iteration. None: chosen from the data,
            see `gedi.plan`.
        learning_rate: learning rate of Adam. None: chosen from the data, see `gedi.plan`.
        warm_start: whether fit continues from the model of the last fit, with its scaling.
        random_state: seed of all random numbers; an integer fixes the result bit for bit on one
            machine. Of a generator of numpy or torch, or a `RandomState`, the seed is drawn.
        device: "auto", "cpu" or "cuda".
        features: what turns raw things into points, for texts and photographs: "auto", the name of
            a network, or a transformer such as `gedi.TextFeatures` or `gedi.ImageFeatures`. None:
            that for texts if X is a list of texts, otherwise X holds points.
        columns: what is done with some columns of a frame, by name: "number", "flag", "date",
            "category", "text" or "drop"; see `gedi.data.columns`. "text" is for free text, which
            counts like a few columns among the others, by its meaning; `features` then names the
            network. None: chosen from the values.
        verbose: 1 shows the progress.
        callbacks: a function, or several, that are called with each new row of the history, a
            dict; one that returns true ends the training.
        settings: a `gedi.Settings` for everything that has no argument here; arguments take
            precedence.

    Attributes:
        n_features_in_: number of features, d, or of the columns of a frame.
        feature_names_in_: names of the columns, if X had any.
        input_shape_: shape of one point.
        frame_: library, names and types of the columns of X, if X was a frame; otherwise None.
        columns_: what is done with each column, a `gedi.data.columns.ColumnPlan`, if X was a frame;
            otherwise None. Its `features` are the names of the d features of the model.
        n_iter_: number of iterations done.
        history_: arrays by name: the terms of the bound, the gap and more, over the iterations.
        interventions_: what the guard against divergence did, one sentence each; usually none.
        collapse_gap_: in nats, on up to 10,000 points under fixed views: near zero if the
            clusters can be trusted.
        agreement_: the adjusted Rand index to expect between these clusters and as many of another
            `random_state`: the mean with other partitions that fit about as well, see
            `gedi.partitions`, or with more than 100 features that of two halves of the restarts,
            see `gedi.training.consensus`; None for images, and if the clusters come from neither.
        prior_: share of each cluster under the prior, (c,).
        log_normalizer_: log Z of scaled points in nats, by a grid in one or two dimensions and by
            annealed importance sampling in more; None if no density was learned.
        log_normalizer_error_: its standard error, in nats.
        offset_: score below which points are outliers, see `score_samples`; -inf if there are too
            few training points for such a share.
        model_: the `gedi.TrainedModel`.
        features_: the transformer of raw things, if X held some.
        settings_: the settings, including those that were chosen from the data.
    """

    prior: Any = None
    w_gen: float | None = None
    w_inv: float = 1.0
    w_prior: float | None = None
    encoder: Sequence[int] | nn.Module | str | None = None
    method: Method | str | None = None
    views: Sequence[Any] | Callable[[Tensor], Tensor] | str | None = None
    contamination: float | None = None
    max_iter: int | None = None
    max_time: float | None = None
    tol: float = 1e-3
    n_restarts: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    warm_start: bool = False
    random_state: Any = None
    device: Any = "auto"
    features: Any = None
    columns: Mapping[str, str] | None = None
    verbose: int = 0
    callbacks: (
        Callable[[Record], bool | None] | Sequence[Callable[[Record], bool | None]] | None
    ) = None
    settings: Settings | None = None
    model_: TrainedModel = field(init=False)
    columns_: ColumnPlan | None = field(init=False)
    features_: Any = field(init=False)  # only of raw things
    classes_: NDArray[Any] = field(init=False)  # only of estimators whose clusters have names

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__doc__ = inherited(cls.__doc__, BaseGEDI.__doc__)

    # --- predictions and samples

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803 - scikit-learn's name
        """The most probable cluster of each point, or its name if there are `classes_`, (n,).

        Args:
            X: points (n, d), or images as they were fitted.
        """
        rows = self._rows(X)
        return self._names(self.model_.clusters(rows))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """p(y|x), (n, c).

        Args:
            X: points (n, d), or images as they were fitted.
        """
        rows = self._rows(X)
        logits = self.model_.logits(rows, with_base=False)
        probabilities: NDArray[np.float64] = logits.softmax(-1).numpy()
        return probabilities

    def transform(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """The embedding of points: the features of the encoder, before the head, (n, e).

        Args:
            X: points (n, d), or images as they were fitted.
        """
        rows = self._rows(X)
        return self.model_.embed(rows)

    def log_density(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Log p(x) of points in nats, in the units of X, (n,).

        If `log_normalizer_` is None (without GEN, no density is learned), the scores are known up
        to a constant. Z is taken over the box of the training data; points outside of the box are
        scored by their energy with the same Z.

        Args:
            X: points (n, d), or images as they were fitted.
        """
        rows = self._rows(X)
        return self.model_.predict(rows).log_density

    def score_samples(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """How typical points are, (n,): the lower, the more unusual, as in scikit-learn.

        It is minus the energy of `gedi.model.outlier_energy`, in nats: about 0 for typical points,
        and -3 where the density of neighbours is e³ times lower. Images are compared by the energy,
        its slope and differences of neighbouring pixels (`gedi.model.image_outliers`), with some
        that the network did not learn from; if there were fewer than 60, it is `log_density`.

        Args:
            X: points (n, d), or images as they were fitted.
        """
        rows = self._rows(X)
        return self.model_.outlier_scores(rows)

    def outlier_p_values(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """The share of training points that are at least as unusual as each point, (n,).

        Training points count with scores from parts of the model that do not know them, so that new
        points like those of the training have p <= α with probability α, for any α from 1 / (m + 1)
        on, with m the number of training points or 2,000. For images, m is the number of those that
        the network did not learn from, a fifth of all or 2,000; images of a rule's groups are among
        these only where there are too few others, and p is then approximate. Outliers in the
        training only raise p.

        Args:
            X: points (n, d), or images as they were fitted.

        Raises:
            DataError: with fewer than 60 images.
        """
        scores = self.score_samples(X)
        return self.model_.outlier_p_values(scores)

    def predict_outliers(self, X: Any, *, alpha: float | None = None) -> NDArray[np.int64]:  # noqa: N803
        """-1 for outliers, 1 for all others, (n,).

        Args:
            X: points (n, d), or images as they were fitted.
            alpha: share of false alarms among points like those of the training: outliers are those
                with `outlier_p_values` up to alpha. None: points below `offset_`, which is the
                same with alpha = `contamination`.

        Raises:
            DataError: if alpha is given for a model without held-out scores.
            SettingsError: for an alpha that is not above 0 and up to 0.5.
        """
        scores, offset = self.score_samples(X), self.offset_
        if alpha is not None:
            _SHARE.check("alpha", alpha)
            offset = self.model_.outlier_threshold(alpha)
        if offset == -np.inf:
            n = len(self.model_.outliers.held_out)  # type: ignore[union-attr]
            warnings.warn(
                f"no point is called an outlier, as {n} training points cannot show that a share "
                f"below {1 / (n + 1):.2g} of points is more unusual; increase alpha or "
                "contamination, or look at the order of score_samples",
                UserWarning,
                stacklevel=2,
            )
        return np.where(scores < offset, -1, 1)

    def explain(self, X: Any) -> OutlierExplanation:  # noqa: N803
        """Why points are unusual: the contribution of each column, and what would be typical.

        Contributions are nats and sum up to minus `score_samples`. They are integrated gradients of
        the energy in the distances to the nearest typical rows, column by column, from those of a
        typical row; see `gedi.model.outlier_energy`.

        Args:
            X: points (n, d). A data frame gives data frames, with what all features of a column
                contribute, and with typical values in the column's own type, except for texts.

        Raises:
            DataError: for images.
        """
        rows = self._rows(X)
        explanation = self.model_.explain_outliers(rows)
        if not isinstance(X, pd.DataFrame):
            return explanation
        plan = self._plan
        if plan is None:
            frames: Any = [pd.DataFrame(part, X.index, X.columns) for part in explanation]
            return OutlierExplanation(*frames)
        like: Any = self.frame_
        sums: Any = of_columns(explanation, plan)[0].set_axis(X.index, axis=0)
        known: Any = framed(explanation.typical, {**like, "library": "pandas"}, plan)
        return OutlierExplanation(
            sums.rename(columns={str(name): name for name in like["names"]}),
            known.set_axis(X.index, axis=0),
        )

    def predict_confidence(self, X: Any, *, alpha: float = 0.05) -> NDArray[np.float64]:  # noqa: N803
        """How sure the cluster of each point is, from 0 to 1, (n,): max_y p(y|x) min(1, p / α).

        p is the share of training points of the same cluster that are at least as unusual. So the
        confidence is low between clusters, and far from all of them, where p(y|x) alone is 1 for
        some cluster. Below 0.5, call a point "not sure"; it keeps its cluster.

        Args:
            X: points (n, d), or images as they were fitted.
            alpha: share of the points of a cluster, the most unusual ones, whose confidence is
                lowered.

        Raises:
            DataError: for models without held-out scores, see `outlier_p_values`.
            SettingsError: for an alpha that is not above 0 and up to 0.5.
        """
        _SHARE.check("alpha", alpha)
        probabilities, scores = self.predict_proba(X), self.score_samples(X)
        p = self.model_.outlier_p_values(scores, probabilities.argmax(1))
        return confidence(probabilities, p, alpha)

    def sample(self, n_samples: int = 1, *, cluster: int | None = None) -> tuple[Any, NDArray[Any]]:
        """Points drawn from p(x), or from p(x|y) of one cluster.

        With a fixed `random_state`, every call returns the same points.

        Args:
            n_samples: number of samples.
            cluster: y, from 0 to c - 1; None for all.

        Returns:
            Points (n_samples, d), or images as they were fitted, and their clusters (n_samples,).
            If a frame was fitted, the points are a frame of the same library, with the types of
            its columns: whole numbers are rounded.

        Raises:
            ValueError: for fewer than one sample, or a cluster that does not exist.
        """
        check_is_fitted(self)
        n = whole(n_samples, "n_samples", 1)
        if cluster is not None:
            cluster = whole(cluster, "cluster", 0)
        generator = Generator().manual_seed(seed_of(self.random_state))
        x, clusters = self.model_.sample(n, generator=generator, cluster=cluster)
        frame = getattr(self, "frame_", None)
        shaped = x.reshape(n, *self.input_shape_) if frame is None else self._framed(x)
        return shaped, self._names(clusters)

    def impute(
        self,
        X: Any,  # noqa: N803
        *,
        draw: bool = False,
        return_std: bool = False,
    ) -> Any:
        """X with its missing values filled in; see `gedi.sampling.imputation`.

        Given the known values, numbers and dates get their conditional mean, and categories and
        flags the most probable value. Whether a value is missing is taken to say nothing about it.
        With a fixed `random_state`, every call returns the same values.

        Args:
            X: points (n, d), NaN where missing; or a frame like the one that was fitted.
            draw: whether to draw the values instead. Fits of several such sets, with one
                `random_state` each, show what the missing values leave open (multiple imputation).
            return_std: whether to return error bars too.

        Returns:
            X with all values: an array (n, d), or a frame of the same library in which columns of
            numbers in text are numbers. With `return_std` also an array or a frame of standard
            deviations, in days for dates, and for categories and flags the probability of another
            value; 0 where a value was known.

        Raises:
            DataError: for images, a model without density (`w_gen=0`), or more than 512 features.
        """
        check_is_fitted(self)
        if len(self.input_shape_) > 1:
            raise DataError("X: expected rows of numbers, but this model is of images")
        points = flatten(self._with_names(self._points(X)))[0]
        is_frame = isinstance(points, pd.DataFrame)
        if is_frame:
            points = self._named(points)
        else:
            points = validate_data(
                self, points, dtype=np.float64, ensure_all_finite="allow-nan", reset=False
            )
        rows = points
        if is_frame or self._plan is not None:
            names = [str(name) for name in range(points.shape[1])]
            if self._plan is not None:
                names = [column.name for column in self._plan.columns]
            rows = self._encoded(pd.DataFrame(points).set_axis(names, axis=1), keep_missing=True)
        filled: Any
        std: Any
        rows = np.asarray(rows, dtype=np.float64)
        checked_rows(np.where(np.isnan(rows), 0.0, rows), "X", names=self._feature_names)
        generator = Generator().manual_seed(seed_of(self.random_state))
        filled, std = self.model_.impute(rows, generator, draw=draw)
        if is_frame and self._plan is not None:
            like: Any = self.frame_
            filled, std = imputed_frame(
                points, np.isnan(rows), filled=filled, std=std, like=like, plan=self._plan
            )
        elif is_frame:
            filled, std = (
                pd.DataFrame(each, points.index, points.columns) for each in (filled, std)
            )
        return (filled, std) if return_std else filled

    # --- storage

    def save(self, path: str | Path) -> None:
        """Write a folder with config.json and model.safetensors, or replace an earlier one.

        Functions (views, callbacks), a module given as encoder and a method given as an object are
        not stored. Those of plug-ins are stored by name.

        Args:
            path: the folder.

        Raises:
            RunError: if the path holds anything else, or cannot be written.
        """
        check_is_fitted(self)
        save_estimator(self, Path(path))

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        encoder: nn.Module | None = None,
        method: Method | None = None,
    ) -> Self:
        """Read a folder that `save` wrote; no code is executed.

        Args:
            path: the folder.
            encoder: a module like the original, if the encoder was given as a module.
            method: the original method, if it was given as an object.

        Raises:
            RunError: if the folder cannot be read, or holds another kind of estimator.
            PluginError: if encoder or method belong to a plug-in that is not installed.
        """
        estimator: Self = load_estimator(cls, Path(path), encoder, method)
        return estimator

    def export(self, path: str | Path) -> Agreement:
        """Write an ONNX file that maps x to clusters, probabilities, densities and p-values.

        The file serves programs without gedi or torch; see `gedi.export`.

        Args:
            path: the file.

        Returns:
            How closely the file agrees with PyTorch on noise, and what it lacks.

        Raises:
            GediError: if the extra `export` is not installed.
            RunError: for an encoder that ONNX cannot express, or a file that cannot be written.
        """
        check_is_fitted(self)
        return export(
            self.model_,
            Path(path),
            input_shape=self.input_shape_,
            temperature=getattr(self, "temperature_", 1.0),
            feature_names=list(self._feature_names),
            cluster_names=[
                str(name) for name in self._names(np.arange(self.model_.n_clusters)).tolist()
            ],
            columns=self._plan,
        )

    def __getstate__(self) -> Any:
        # Copies keep functions as they are, and cloudpickle stores them.
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller != "copy" and "cloudpickle" not in caller:
            refuse_local_functions(functions_of(self.callbacks), "callbacks")
            refuse_local_functions(split_views(self.views)[2], "views")
        return super().__getstate__()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        if tags.classifier_tags is None:  # scikit-learn's check of probabilities reads them
            tags.classifier_tags = ClassifierTags()
        return tags

    # --- training

    def _names(self, clusters: NDArray[np.int64]) -> NDArray[Any]:
        """The names of clusters, or their numbers if they have no names."""
        names: NDArray[Any] = self.classes_[clusters] if hasattr(self, "classes_") else clusters
        return names

    def _rows(self, x: Any) -> NDArray[np.floating]:
        """Checked points for a fitted estimator."""
        check_is_fitted(self)
        points = flatten(self._with_names(self._points(x)))[0]
        if isinstance(points, pd.DataFrame):
            return self._encoded(self._named(points))
        rows = self._finite(points, dtype=_FLOATS, reset=False)
        if self._plan is None:
            return rows
        names = [column.name for column in self._plan.columns]
        return self._encoded(pd.DataFrame(rows, columns=names))

    def _with_names(self, x: Any) -> Any:
        """An array of objects as a frame like the one that was fitted; anything else unchanged."""
        of_objects = isinstance(x, np.ndarray) and x.ndim == 2 and x.dtype == object
        frame: Any = getattr(self, "frame_", None)
        if self._plan is None or not of_objects or x.shape[1] != len(frame["names"]):
            return x
        return pd.DataFrame(x, columns=frame["names"]).infer_objects()

    def _named(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A frame whose columns are those of the fit, as scikit-learn checks them."""
        plan = self._plan
        if plan is not None:
            frame = with_left_out(frame, plan)
        validate_data(self, frame, skip_check_array=True, reset=False)
        return frame

    def _encoded(self, frame: pd.DataFrame, *, keep_missing: bool = False) -> NDArray[np.floating]:
        """The features of the rows of a frame, (n, d)."""
        return features_of(frame, self._plan, keep_missing=keep_missing)

    @property
    def _plan(self) -> ColumnPlan | None:
        """What is done with each column of a frame; None if an array was fitted."""
        plan: ColumnPlan | None = getattr(self, "columns_", None)
        return plan

    @property
    def _feature_names(self) -> tuple[str, ...]:
        """The names of the features of the model; empty if they have none."""
        if self._plan is not None and hasattr(self, "feature_names_in_"):
            return self._plan.features
        return tuple(getattr(self, "feature_names_in_", ()))

    def _framed(self, x: NDArray[np.floating]) -> Any:
        """Features (n, d) as a frame like that of the training."""
        frame: Any = self.frame_
        plan = self._plan
        return framed(x, frame, ColumnPlan.of_numbers(frame["names"]) if plan is None else plan)

    def _points(self, x: Any, *, reset: bool = False) -> Any:
        """Raw things as features; anything else unchanged.

        Args:
            x: texts, photographs, points or images.
            reset: whether the transformer is chosen anew, as in a fit.
        """
        if reset or not hasattr(self, "features_"):
            has_texts = "text" in kinds_of(self.columns).values()  # among other columns
            known = None if reset else self.n_features_in_
            found = None if has_texts else transformer_of(self.features, x, known)
            if hasattr(self, "features_"):
                del self.features_
            if found is None:
                return x
            self.features_ = found.fit(x)
        return self.features_.transform(x)

    def _checked(self, x: Any) -> tuple[NDArray[np.floating], tuple[int, ...]]:
        """Checked points to fit, and the shape of one point; the library of a frame is kept."""
        rows, shape = flatten(self._points(x, reset=True))
        self.frame_ = frame_of(x)
        if isinstance(rows, pd.DataFrame):
            rows = self._learned(rows)
            return rows, (rows.shape[1],)
        if self.columns:
            raise SettingsError("columns: expected a frame as X, whose columns have these names")
        self.columns_ = None
        # 32 bits are enough for the bytes of images.
        wide = _FLOATS if shape is None else _FLOATS[::-1]
        rows = self._finite(rows, dtype=wide, ensure_min_samples=2, reset=not self._goes_on())
        return rows, shape or (rows.shape[1],)

    def _learned(self, frame: pd.DataFrame) -> NDArray[np.floating]:
        """The features of the rows of a frame to fit, (n, d)."""
        if self._goes_on():
            return self._encoded(self._named(frame))
        kinds = kinds_of(self.columns)
        network = network_name(self.features) if "text" in kinds.values() else None
        plan, values = learn_features(frame, kinds, network)
        validate_data(self, frame, skip_check_array=True)
        rows: NDArray[np.floating] = check_array(
            values, dtype=_FLOATS, ensure_min_samples=2, estimator=self
        )
        self.columns_ = plan
        dropped = [
            f"{each.name} ({each.note})"
            for each in plan.columns
            if each.kind == "drop" and kinds.get(each.name) != "drop"
        ]
        if dropped:
            warnings.warn(
                f"columns of X are left out: {', '.join(dropped)}", UserWarning, stacklevel=4
            )
        if self.verbose:
            console = Console(stderr=True, soft_wrap=True)
            for line in str(plan).splitlines():
                console.print(f"column {line}", markup=False, highlight=False)
        return rows

    def _finite(self, x: Any, **checks: Any) -> NDArray[np.floating]:
        """Points as scikit-learn checks them, and refused with the column if not finite."""
        rows: NDArray[np.floating] = validate_data(self, x, ensure_all_finite=False, **checks)
        return checked_rows(rows, "X", names=self._feature_names)

    def _goes_on(self) -> bool:
        return bool(self.warm_start) and hasattr(self, "model_")

    def _train(
        self,
        rows: NDArray[np.floating],
        input_shape: tuple[int, ...],
        *,
        n_clusters: int | str,
        prior: Any,
        custom: Custom,
        weights: NDArray[np.float64] | None = None,
        settings: Settings | None = None,
    ) -> NDArray[np.int64]:
        """Fit the model and set the learned attributes.

        Args:
            rows: all points, (n, d).
            input_shape: the shape of one point.
            n_clusters: the number of clusters.
            prior: the prior over the clusters.
            custom: what settings cannot hold, for the points of positive weight.
            weights: of all points, (n,); points of weight 0 take no part. None means 1 for all.
            settings: those of the training; None for those of the parameters.

        Returns:
            The clusters of the points, (n,).
        """
        share = _ALPHA if self.contamination is None else self.contamination
        _SHARE.check("contamination", share)
        image_shape = image_shape_of(input_shape)
        strengths, names, functions = split_views(self.views)
        custom = replace(
            custom,
            encoder=self.encoder if isinstance(self.encoder, nn.Module) else None,
            method=self.method if isinstance(self.method, Method) else None,
            views=functions,
            previous=self.model_ if self._goes_on() and custom.carried is None else None,
            weights=None if weights is None else _unequal(weights[weights > 0]),
        )
        trained_on = rows if weights is None else rows[weights > 0]
        dataset = Dataset(
            "X",
            trained_on,
            image_shape=image_shape,
            value_range=None if image_shape is None else value_range_of(trained_on),
        )
        settings = settings or self._settings(n_clusters, prior, strengths, names)
        fit = self._run(start(dataset, settings, custom=custom))
        clusters = fit.trained.clusters(rows)
        self._keep(fit)
        self.input_shape_ = input_shape
        if fit.trained.outliers is None:
            scores = fit.trained.outlier_scores(rows)
            self.offset_ = _quantile(scores, share, weights)
        else:
            self.offset_ = fit.trained.outlier_threshold(share)
        _warn(fit)
        wanted = fit.trained.n_clusters
        if wanted > 1 and not has_distinct_rows(trained_on, wanted):
            warnings.warn(
                f"X has {len(np.unique(trained_on, axis=0))} distinct rows, fewer than the "
                f"{wanted} clusters: some of them are empty; decrease n_clusters",
                ConvergenceWarning,
                stacklevel=3,
            )
        return clusters

    def _keep(self, fit: Fit) -> None:
        """Set the learned attributes of any training."""
        self.model_ = fit.trained
        self.settings_ = fit.settings
        self.n_iter_ = fit.iterations
        self.history_ = {
            name: np.array([record[name] for record in fit.history])
            for name in (fit.history[0] if fit.history else ())
        }
        self.interventions_ = [str(intervention) for intervention in fit.interventions]
        self.collapse_gap_ = fit.collapse_gap
        self.agreement_ = fit.agreement
        self.prior_ = fit.trained.log_prior.exp().double().numpy()
        normalizer = fit.trained.normalizer
        self.log_normalizer_ = None if normalizer is None else normalizer.value
        self.log_normalizer_error_ = None if normalizer is None else normalizer.error
        self._n_features_out = int(fit.trained.model.encoder.n_features)  # type: ignore[arg-type]
        self._keep_number(fit)
        for name in ("former_clusters_", "overlaps_"):  # of an earlier fit
            if hasattr(self, name):
                delattr(self, name)
        if fit.numbering is not None:
            self.former_clusters_ = fit.numbering.former
            self.overlaps_ = fit.numbering.overlap

    def _keep_number(self, fit: Fit) -> None:
        """Set the learned attributes about the number of clusters, for estimators that find it."""

    def _settings(
        self,
        n_clusters: Any,
        prior: Any,
        strengths: tuple[str, ...] | None,
        own_views: tuple[str, ...],
    ) -> Settings:
        own: Any = Settings() if self.settings is None else self.settings
        if not isinstance(own, Settings):
            raise SettingsError(f"settings: expected a gedi.Settings, got {type(own).__name__}")
        # With one cluster, only the density is learned.
        clustering = n_clusters != 1
        weights = replace(
            own.weights,
            gen=self.w_gen,
            inv=self.w_inv if clustering else 0.0,
            prior=self.w_prior if clustering else 0.0,
            evidence=getattr(self, "w_evidence", 1.0),
        )
        shares: Any = (
            prior if prior is None or isinstance(prior, str) else np.asarray(prior).tolist()
        )
        settings = replace(
            own,
            n_clusters=int(n_clusters) if isinstance(n_clusters, Integral) else n_clusters,
            prior=shares,
            max_iter=self.max_iter,
            max_time=self.max_time,
            tol=self.tol,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=seed_of(self.random_state),
            device=self.device,
            weights=weights,
            method=self.method if isinstance(self.method, str) else own.method,
            encoder=_encoder(own.encoder, self.encoder),
            views=own.views if strengths is None else _only(own.views, strengths, own_views),
            restarts=replace(own.restarts, n=self.n_restarts),
        )
        check(settings, _CALLED)
        return settings

    def _run(self, session: Session) -> Fit:
        callbacks = _Callbacks(functions_of(self.callbacks))
        progress = Progress(Console(stderr=True), lines=True) if self.verbose else None
        hooks: list[Hook] = [callbacks] if progress is None else [callbacks, progress]
        with progress or nullcontext():
            fit = session.run(hooks)
        if not callbacks.stops() and not settled([record["gap"] for record in fit.history]):
            warnings.warn(
                f"{type(self).__name__} was still improving when it stopped after "
                f"{fit.iterations} iterations; increase max_iter or max_time",
                ConvergenceWarning,
                stacklevel=4,
            )
        return fit


def _warn(fit: Fit) -> None:
    """Warn of a training that returned to an earlier state, and of an unreliable log Z."""
    if any(each.action == "rolled back" for each in fit.interventions):
        warnings.warn(
            "the training diverged and returned to an earlier state, see interventions_: "
            f"{fit.interventions[-1]}; decrease learning_rate",
            ConvergenceWarning,
            stacklevel=4,
        )
    normalizer = fit.trained.normalizer
    if normalizer is not None and not normalizer.trusted:
        warnings.warn(
            f"log Z = {normalizer.value:.2f} is unreliable: its error is {normalizer.error:.2g} "
            f"nats and its effective sample size {normalizer.ess:.0f}; scores still rank points, "
            "but do not compare them with those of other models",
            NormalizerWarning,
            stacklevel=4,
        )


def _unequal(weights: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Weights (n,), or None if they are all the same."""
    return None if (weights == weights[0]).all() else weights


def _quantile(
    values: NDArray[np.float64], share: float, weights: NDArray[np.float64] | None
) -> float:
    """The quantile of values (n,) with weights (n,), or None for equal ones."""
    if weights is None:
        return float(np.quantile(values, share))
    order = np.argsort(values)
    below = np.cumsum(weights[order]) - 0.5 * weights[order]
    return float(np.interp(share * weights.sum(), below, values[order]))


class _Callbacks(Hook):
    """Calls functions with each new row of the history; one that returns true ends the training."""

    def __init__(self, functions: Sequence[Callable[[Record], bool | None]]) -> None:
        self.functions = functions
        self.asked = False

    def on_record(self, session: Session, record: Record) -> None:
        for function in self.functions:
            self.asked = bool(function(dict(record))) or self.asked

    def stops(self) -> bool:
        return self.asked


def _encoder(settings: EncoderSettings, chosen: Any) -> EncoderSettings:
    """The settings with the chosen widths or kind; a module is not part of them."""
    if chosen is None or isinstance(chosen, nn.Module):
        return settings
    if isinstance(chosen, str):
        return replace(settings, kind=chosen)
    return replace(settings, hidden=list(chosen))


def _only(
    views: ViewSettings, strengths: tuple[str, ...], own_views: tuple[str, ...]
) -> ViewSettings:
    """Views in which only the named ones, which have at least their usual strength, are on."""
    usual = plan_views(ViewSettings(dropout=0.1), None)
    nothing = NEUTRAL | {"noise": 0.0, "dropout": 0.0, "adversarial": 0.0, "neighbours": 0}
    others: Any = {name: zero for name, zero in nothing.items() if name not in strengths}
    # Single steps of the image views may be off.
    named: Any = {
        name: getattr(views, name) or getattr(usual, name)
        for name in strengths
        if name not in NEUTRAL
    }
    return replace(views, **others, **named, own=list(own_views))
