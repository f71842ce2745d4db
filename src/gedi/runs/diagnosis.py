"""The diagnosis of a training from its run folder: symptoms, and settings to change."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gedi.errors import RunError
from gedi.evaluation.cohesion import Cohesion
from gedi.evaluation.symptoms import Quartiles, Signs, Symptom, symptoms
from gedi.runs import Run
from gedi.settings import method_name
from gedi.training.guard import Intervention

__all__ = ["Diagnosis", "diagnose"]


class Diagnosis(NamedTuple):
    """What is wrong with a training.

    Attributes:
        method: name of the method in the paper.
        iterations: number of iterations so far.
        ended: why the training ended: max_iter, max_time, converged or diverged; None if it has
            not ended.
        symptoms: the most severe first.
        signs: what is known about the training.
    """

    method: str
    iterations: int
    ended: str | None
    symptoms: list[Symptom]
    signs: Signs


def diagnose(run: Run) -> Diagnosis:
    """Read a run folder and look for symptoms.

    If the training has not ended, only its history is used.

    Raises:
        RunError: if the folder cannot be read.
    """
    settings = run.settings()
    history = run.history()
    result = run.result()
    failure = run.failure()
    signs = Signs(
        method=method_name(settings),
        history=history,
        interventions=_interventions(history),
        failure=failure,
        ended=None if failure else "interrupted",
    )
    if result:
        prior = run.load_model().log_prior.exp().double().numpy()
        try:
            signs = _signs(signs.method, history, result, prior)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise RunError(f"{run.path / 'result.json'}: is damaged: {error!r}") from error
    last = history.get("iteration", np.zeros(1))[-1]
    iterations = int(last) if np.isfinite(last) else 0
    signs = replace(signs, iterations=iterations, max_iter=settings.max_iter)
    return Diagnosis(signs.method, iterations, _ending(signs), list(symptoms(signs)), signs)


def _ending(signs: Signs) -> str | None:
    if signs.failure is not None:
        return "diverged"
    return None if signs.ended == "interrupted" else signs.ended


def _interventions(history: Mapping[str, NDArray[np.float64]]) -> list[str]:
    """The number of interventions in the history, for a training without a result."""
    counts = history.get("interventions", np.zeros(1))
    return [f"the guard intervened {counts[-1]:.0f} times so far"] if counts[-1] > 0 else []


def _signs(
    method: str,
    history: Mapping[str, NDArray[np.float64]],
    result: Mapping[str, Any],
    prior: NDArray[np.float64],
) -> Signs:
    """Signs of a training that has ended, from result.json.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: if the
            content is not what a training writes.
    """
    sizes = np.array(result["cluster_sizes"], np.int64)
    if sizes.shape != prior.shape:
        raise ValueError(f"cluster_sizes: expected {len(prior)} numbers, got {sizes.shape}")
    energies = {
        name: Quartiles(*map(float, three)) for name, three in result.get("energies", {}).items()
    }
    return Signs(
        method=method,
        history=history,
        interventions=[str(Intervention(**each)) for each in result["interventions"]],
        sizes=sizes,
        prior=prior,
        energies=energies,
        n_not_finite=int(result.get("not_finite", 0)),
        collapse_gap=float(result["collapse_gap"]),
        cohesion=_cohesion(result.get("cohesion")),
        ended=str(result["ended"]),
        regret=_number(result.get("metrics", {}).get("regret")),
        over_base=_number(result.get("over_base")),
        apart=_number(result.get("apart")),
    )


def _cohesion(values: Any) -> Cohesion | None:
    return None if values is None else Cohesion(*map(float, values))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
