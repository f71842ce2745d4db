"""The description of a method for the trainer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from gedi.errors import SettingsError
from gedi.objective import Terms

__all__ = ["Method", "Term"]

Term = Literal["gen", "inv", "prior", "evidence"]


@dataclass(frozen=True)
class Method:
    """A function from a batch to the terms of a loss, and what a training needs for it.

        Method("mine", terms, gives=("inv", "prior"))

    Args:
        name: the name in settings and on the command line.
        terms: a function with the arguments of `gedi.gedi_terms`; it returns `gedi.Terms`, in which
            terms that are not in `gives` are zero.
        gives: the terms that it computes. "gen" adds chains and a density, "prior" adds cluster
            shares and several restarts, "evidence" adds labels and rules.
        two_views: whether `terms` is called with two views of each point, instead of the point and
            one view.
        cosines: the temperature of a cosine head; None is a linear head.
        projection: the width of the head during training if its outputs are not clusters; clusters
            are then found by k-means in the embedding. None is one output for each cluster.

    Raises:
        SettingsError: if `gives` is empty or names an unknown term.
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
                f"method {self.name}: expected gives to name some of {', '.join(get_args(Term))}, "
                f"got {self.gives}"
            )
