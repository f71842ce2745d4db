"""A method as a value: what the trainer needs to know of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from gedi.errors import SettingsError
from gedi.objective import Terms

__all__ = ["Method", "Term"]

Term = Literal["gen", "inv", "prior", "evidence"]


@dataclass(frozen=True)
class Method:
    """From a batch to the terms of a loss, and what a training needs for that.

        Method("mine", terms, gives=("inv", "prior"))

    Args:
        name: in settings and on the command line.
        terms: called as `gedi.gedi_terms` is, and returns `gedi.Terms`; those that it does not
            give are zero.
        gives: the terms that can have a weight. With "gen" there are chains and a density, with
            "prior" shares of the clusters and several restarts, with "evidence" labels and rules.
        two_views: whether it is called with two views of each point, instead of point and view.
        cosines: temperature of a head of cosines; None: a linear head.
        projection: outputs of the head while it is trained, where these are no clusters; they are
            then found by k-means in the embedding. None: the clusters.

    Raises:
        SettingsError: for terms that do not exist, or none.
    """

    name: str
    terms: Callable[..., Terms]
    gives: tuple[Term, ...] = ("inv",)
    two_views: bool = False
    cosines: float | None = None
    projection: int | None = None

    def __post_init__(self) -> None:
        if not self.gives or set(self.gives) - set(get_args(Term)):
            raise SettingsError(
                f"method {self.name}: expected it to give some of {', '.join(get_args(Term))}, "
                f"got {self.gives}"
            )
