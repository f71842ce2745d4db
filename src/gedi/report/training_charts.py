"""The section on the training: metrics over time, energies at its end, restarts."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes

from gedi import phrases, plot
from gedi.evaluation.symptoms import FAIR_GAP, GOOD_GAP
from gedi.report.array_tools import finite_of
from gedi.report.content import ReportContent
from gedi.report.pictures import Picture, chart

__all__ = ["restart_columns", "training_pictures"]

HISTORY_CHARTS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    (
        "INV (agreement between views) and PRIOR (balance of the clusters), in nats",
        ("inv", "prior"),
        False,
    ),
    (
        "Probability of the known labels or outcomes, or of the clusters of the start (geometric "
        "mean)",
        ("evidence_probability",),
        False,
    ),
    ("GEN and the whole bound (nats)", ("gen", "bound"), False),
    ("Collapse gap during the training (nats); dotted lines: 0.05 and 0.3", ("gap",), False),
    (
        "Mean energy of data and of samples (nats): both should stay close to each other",
        ("energy_data", "energy_samples"),
        False,
    ),
    ("Share of the chains' moves that were accepted", ("acceptance",), False),
    ("Step size of the chains, and learning rate", ("step_size", "learning_rate"), True),
)
OF_CHAINS = ("energy_samples", "acceptance", "step_size")


def training_pictures(content: ReportContent) -> list[Picture]:
    """Charts of all metrics in the history, and of the energies at the end.

    Where no chains have moved, there are no charts of chains.
    """
    pictures = []
    moved = _has_values(content.history, "acceptance")
    for caption, wanted, log_scale in HISTORY_CHARTS:
        if not moved and any(name in OF_CHAINS for name in wanted):
            continue
        columns = [name for name in wanted if _has_values(content.history, name)]
        if columns:
            pictures.append(_history_picture(content.history, caption, columns, log_scale))
    if any(finite_of(energy).size for energy in content.energies.values()):
        names = phrases.sentence_list(list(content.energies))
        pictures.append(
            chart(
                lambda ax: plot.energy_histogram(ax, content.energies),
                alt=f"Histograms of the energies of {names}",
                caption=f"Energies of {names} at the end of the training",
            )
        )
    return pictures


def _history_picture(
    history: pd.DataFrame, caption: str, columns: Sequence[str], log_scale: bool
) -> Picture:
    def draw(ax: Axes) -> None:
        plot.history(ax, history, columns, log_scale=log_scale)
        if columns == ["gap"]:
            for threshold in (GOOD_GAP, FAIR_GAP):
                ax.axhline(threshold, color=plot.MUTED, linewidth=0.9, linestyle=":")

    return chart(draw, alt=f"{' and '.join(columns)} over iterations", caption=caption)


def _has_values(history: pd.DataFrame, column: str) -> bool:
    return column in history and finite_of(history[column].to_numpy(dtype=float)).size > 0


def restart_columns(restarts: Sequence[Mapping[str, object]]) -> list[str]:
    """All keys of the restarts, in order of appearance, without the mark of the chosen one."""
    keys = dict.fromkeys(key for restart in restarts for key in restart)
    return [key for key in keys if key != "chosen"]
