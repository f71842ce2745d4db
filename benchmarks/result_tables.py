"""The tables of figures in the documentation, each from the stored rows of one benchmark.

`TABLES` says, for each table, which command made its rows and how rows become Markdown.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, get_args

from scipy.stats import spearmanr

from common import read
from gedi.experiments.comparisons import METHODS, Cell, TableName, comparison_table
from gedi.experiments.grounding import RULE_METHODS, RuleCell, rule_table
from gedi.experiments.markdown import count, figure, grouped, groups, listed, spread, table
from gedi.experiments.tasks import TASKS
from growth import COUNTED, MEASURES, OVER_ITERATIONS, slope

__all__ = ["TABLES", "Table", "rendered"]

_RIGHT, _STEADY = 0.9, 0.98  # adjusted Rand indices

Row = dict[str, Any]
Rows = list[Row]


@dataclass(frozen=True)
class Table:
    """A table, or several that belong together.

    Args:
        command: what made the rows; None leaves the line with their origin out.
        text: from rows to Markdown.
        rows: name of the rows, if it is not that of the table.
        select: which of the rows are shown.
    """

    command: str | None
    text: Callable[[Rows], str]
    rows: str = ""
    select: Callable[[Rows], Rows] = list


def rendered(name: str) -> str | None:
    """A table with the command, machines and date of its rows; None if there are no rows."""
    wanted = TABLES[name]
    rows = read(wanted.rows or name)
    if not rows:
        return None
    shown = wanted.select(rows)
    text = wanted.text(shown)
    return text if wanted.command is None else f"{text}\n{origin(shown, wanted.command)}"


def origin(rows: Rows, command: str) -> str:
    """The command, the machines and the first date of rows."""
    machines = sorted({row["hardware"] for row in rows if "hardware" in row})
    dates = sorted({row["date"] for row in rows if "date" in row})
    return f"`{command}`; {'; '.join(machines)}{f'; {dates[0]}' if dates else ''}.\n"


def by_row(columns: dict[str, str | Callable[[Row], str]]) -> Callable[[Rows], str]:
    """A table with one line for each row; see `listed`."""
    return lambda rows: listed(rows, columns)


def by_group(
    keys: dict[str, str], columns: dict[str, Callable[[Rows], str]]
) -> Callable[[Rows], str]:
    """A table with one line for each group of rows; see `grouped`."""
    return lambda rows: grouped(rows, keys, columns)


def share(condition: Callable[[Row], Any]) -> Callable[[Rows], str]:
    """A column: the number of rows for which something holds, of all."""
    return lambda rows: f"{sum(map(bool, map(condition, rows)))} of {len(rows)}"


def of_kind(kind: str) -> Callable[[Rows], Rows]:
    """Selects the rows of one kind."""
    return lambda rows: [row for row in rows if row["kind"] == kind]


def three(values: Sequence[float]) -> str:
    """A median with its range, from the lowest, the median and the highest value."""
    low, middle, high = values
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def paired(rows: Rows, *names: str) -> Rows:
    """Of each group, the rows of those seeds that all of its methods have, method by method."""
    kept = []
    for group in groups(rows, *names).values():
        methods = groups(group, "method").values()
        seeds = set.intersection(*({row["seed"] for row in part} for part in methods))
        kept += [row for part in methods for row in part if row["seed"] in seeds]
    return kept


# Results


def toys(rows: Rows) -> str:
    """Moons and circles."""
    mixture = {"method": "Gaussian mixture, 30 components (clusters: 2)", "gap": None}
    return grouped(
        [*rows, *({**row, **mixture} for row in read("mixtures"))],
        {"data": "data", "model": "method"},
        {
            "seeds": count,
            "NMI >= 0.99": share(lambda row: row["NMI"] >= 0.99),
            "NMI": figure("NMI"),
            "regret (nats)": figure("regret", digits=4),
            "collapse gap (nats)": figure("gap"),
        },
    )


def digits(rows: Rows) -> str:
    """Digits and ablations."""
    text = grouped(
        rows,
        {"method": "method", "equal": "budget"},
        {
            "seeds": count,
            "iterations": figure("iterations", digits=0),
            "NMI": figure("NMI"),
            "accuracy": figure("accuracy"),
            "E samples - E data": figure("contrast", digits=1),
            "AUROC noise": figure("AUROC uniform noise"),
            "AUROC shuffled": figure("AUROC shuffled"),
            "AUROC inverted": figure("AUROC inverted"),
        },
    )
    by_seed = groups([row for row in rows if row["budget"] == "iterations"], "seed").values()
    differences = [
        f"{by['GEDI']['NMI'] - by['no gen']['NMI']:+.3f}"
        for group in by_seed
        if {"GEDI", "no gen"} <= (by := {row["method"]: row for row in group}).keys()
    ]
    line = f"NMI of GEDI minus that of no gen, seed by seed: {', '.join(differences)}.\n"
    return f"{text}\n{line if differences else ''}"


# Tables that were not tuned on.
tables = by_group(
    {"data": "data", "model": "method"},
    {"seeds": count, "NMI": figure("NMI"), "accuracy": figure("accuracy")},
)


def embeddings(rows: Rows) -> str:
    """Clusters of unequal sizes among embeddings, and of plain tables."""
    shown = []
    for row in rows:
        sized = row.get("n")
        name = f"{row['data']}, {row['points']:,} of {sized:,}" if sized else row["data"]
        shown.append({**row, "data": name, "memory": row["peak memory"] if sized else None})
    return grouped(
        shown,
        {"data": "data", "model": "method"},
        {
            "seeds": count,
            "NMI": figure("NMI"),
            "ARI": figure("ARI"),
            "seconds": figure("seconds", digits=1),
            "memory": figure("memory", digits=2),
        },
    )


CLASSIFIER = "GEDIClassifier"


def labels(rows: Rows) -> str:
    """Accuracy with few labels."""
    shown = [CLASSIFIER, *(better(rows, kind) for kind in ("LabelSpreading", "self-training"))]
    return grouped(
        [row for row in paired(rows, "labels") if row["method"] in shown],
        {"labels": "labels", "model": "method"},
        {"seeds": count, "unlabelled": figure("unlabelled"), "held out": figure("held out")},
    )


def better(rows: Rows, kind: str) -> str:
    """The method of a kind with the highest mean accuracy."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if row["method"].startswith(kind):
            values.setdefault(row["method"], []).extend((row["unlabelled"], row["held out"]))
    return max(values, key=lambda method: fmean(values[method]), default="")


def calibration(rows: Rows) -> str:
    """How well probabilities are calibrated with few labels."""
    names = {"ECE": "ECE", "NLL (nats)": "NLL"}
    columns = {
        f"{title}, {when}": figure(f"{name} {when}")
        for title, name in names.items()
        for when in ("before", "after")
    }
    return grouped(
        [row for row in rows if row["method"] == CLASSIFIER],
        {"labels": "labels"},
        {"seeds": count, "temperature": figure("temperature", digits=1), **columns},
    )


def density(rows: Rows) -> str:
    """Held-out log-density, and how much lower that of other models is on the same split."""

    def values(group: Rows, method: str) -> dict[int, float]:
        return {row["seed"]: row["log-density"] for row in group if row["method"] == method}

    def of(column: Callable[[Rows], str], method: str = "GEDI") -> Callable[[Rows], str]:
        return lambda group: column([row for row in group if row["method"] == method])

    def lower(method: str) -> Callable[[Rows], str]:
        def difference(group: Rows) -> str:
            ours, others = values(group, "GEDI"), values(group, method)
            found = [ours[seed] - others[seed] for seed in ours.keys() & others.keys()]
            return f"{median(found):+.2f} ({len(found)})" if found else "-"

        return difference

    def fitted(group: Rows) -> str:
        return " / ".join(f"{n} x {d}" for n, d in sorted({(row["n"], row["d"]) for row in group}))

    trusted = share(lambda row: row["trusted"])
    return grouped(
        rows,
        {"data": "data"},
        {
            "points fitted": fitted,
            "GEDI": of(figure("log-density")),
            "Gaussian mixture": of(figure("log-density"), "Gaussian mixture"),
            "GEDI less mixture (splits)": lower("Gaussian mixture"),
            "less spline flow (splits)": lower("neural spline flow"),
            "less GEDI by chains (splits)": lower("GEDI, langevin"),
            "GEDI, fitted points": of(figure("log-density, training part")),
            "error of log Z": of(figure("log Z error", digits=2)),
            "trusted": of(trusted),
            "outside": of(figure("outside", digits=2)),
        },
    )


def normalizer(rows: Rows) -> str:
    """Log Z where it is known."""

    def within(group: Rows) -> str:
        return f"{fmean(abs(row['off']) < 2 * row['error'] for row in group):.0%}"

    return grouped(
        rows,
        {"energy": "data", "dimensions": "d"},
        {
            "seeds": count,
            "mean error": lambda group: f"{fmean(row['off'] for row in group):+.3f}",
            "root mean square error": lambda group: (
                f"{fmean(row['off'] ** 2 for row in group) ** 0.5:.3f}"
            ),
            "error bar": lambda group: f"{median(row['error'] for row in group):.3f}",
            "within two bars": within,
            "trusted": share(lambda row: row["trusted"]),
            "seconds": lambda group: f"{median(row['seconds'] for row in group):.1f}",
        },
    )


def images(rows: Rows) -> str:
    """The paper's comparisons: a section for each table of `gedi reproduce`."""
    order = list(METHODS)
    cells = [
        (Cell(row["method"], row["data"], row["seed"], row["budget"], row["preset"]), row)
        for row in sorted(rows, key=lambda row: order.index(row["method"]))
    ]
    sections = []
    for name in get_args(TableName):
        own = [(cell, row) for cell, row in cells if name in row["tables"]]
        if own:
            made = origin([row for _, row in own], f"gedi reproduce {name}")
            sections.append(f"### {name}\n\n{comparison_table(name, own)}\n{made}")
    return "\n".join(sections)


def clusters_by_method(rows: Rows) -> str:
    """Clusters of labelled tables: a line for each method."""
    better = {
        data: max(
            fmean(row["ARI"] for row in own)
            for own in groups(some, "method").values()
            if own[0]["method"] in ("k-means", "Gaussian mixture")
        )
        for (data,), some in groups(rows, "data").items()
    }

    def as_good(row: Row) -> bool:
        return bool(row["ARI"] >= better[row["data"]] - 0.03)

    def units(own: Rows) -> str:
        known = [row["seconds"] / row["unit"] for row in own if "unit" in row]
        return f"{median(known):.2f}" if known else ""

    return grouped(
        rows,
        {"method": "method"},
        {
            "fits": count,
            "mean ARI": lambda own: f"{fmean(row['ARI'] for row in own):.3f}",
            "median ARI": lambda own: f"{median(row['ARI'] for row in own):.3f}",
            "at most .03 below the better of k-means and mixture": share(as_good),
            "units of time": units,
        },
    )


def headline(rows: Rows) -> str:
    """Mean figures of GEDI and of its best rivals in two sentences, from clusters and outliers."""
    tables = len({row["data"] for row in rows})
    clusters = _ranked(rows, lambda own: fmean(row["ARI"] for row in own))
    scored = [row for row in read("outliers") if not row["halves"]]
    score = auroc(fmean, halves=False)
    outliers = _ranked(scored, lambda own: float(score(own)))
    return (
        f"By its defaults, a table takes seconds. On {tables} labelled tables its clusters reach a "
        f"mean adjusted Rand index of\n{_against_rivals(clusters, 3)}, and on "
        f"{len({row['data'] for row in scored})} tables with outliers a mean AUROC of\n"
        f"{_against_rivals(outliers, 1)}: [results](docs/results.md)."
    )


def _ranked(rows: Rows, figure: Callable[[Rows], float]) -> dict[str, float]:
    """The figure of each method, the best first."""
    found = {method: figure(own) for (method,), own in groups(rows, "method").items()}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _against_rivals(figures: dict[str, float], n_rivals: int) -> str:
    """GEDI's figure, and those of its best rivals in brackets."""
    rivals = [name for name in figures if not name.startswith("GEDI")][:n_rivals]
    others = ", ".join(f"{name} {_short(figures[name])}" for name in rivals)
    return f"{_short(figures['GEDI'])} ({others})"


def _short(value: float) -> str:
    return f"{value:.2f}".lstrip("0")


def clustering(rows: Rows) -> str:
    """Clusters of labelled tables: a line for each method, then one for each table."""
    methods = [
        method
        for method in dict.fromkeys(row["method"] for row in rows)
        if not method.startswith("published")
    ]
    shown = []
    for (data,), some in sorted(groups(rows, "data").items()):
        own = {
            method: figure("ARI")([r for r in some if r["method"] == method]) for method in methods
        }
        others = [row["ARI"] for row in some if row["method"].startswith("published")]
        size = f"{data} ({some[0]['n']} x {some[0]['d']})"
        line = {"data": size, "clusters": some[0]["clusters"]} | own
        shown.append(line | {"published, best": f"{max(others):.3f}" if others else ""})
    titles = ["data", "clusters", *methods, "published, best"]
    columns: dict[str, str | Callable[[Row], str]] = {
        title: lambda row, title=title: str(row[title])  # type: ignore[misc]
        for title in titles
    }
    return f"{clusters_by_method(rows)}\n\n{listed(shown, columns)}"


def pool_choice(rows: Rows) -> str:
    """The choice in the pool: a line for all tables, then one for each on which it is not best."""
    right, fits = sum(row["right"] for row in rows), sum(row["seeds"] for row in rows)
    regrets = [row["best"] - row["ARI"] for row in rows]
    sure = sum(row["agreement"] >= 0.98 for row in rows)
    line = (
        f"Of {fits} choices, {right} are within .02 of the best partition of the pool; the mean "
        f"regret is {fmean(regrets):.3f} ARI (chosen {fmean(row['ARI'] for row in rows):.3f}, best "
        f"{fmean(row['best'] for row in rows):.3f}). Two seeds agree with an ARI of at least .98 "
        f"on {sure} of {len(rows)} tables. The tables with a regret above .02:"
    )
    worst = sorted(rows, key=lambda row: row["ARI"] - row["best"])
    columns: dict[str, str | Callable[[Row], str]] = {
        "data": "{data}",
        "clusters": "{clusters}",
        "ARI": "{ARI:.3f}",
        "best of the pool": "{best:.3f}",
        "ARI between two seeds": "{agreement:.3f}",
    }
    return f"{line}\n\n{listed([r for r in worst if r['best'] - r['ARI'] > 0.02], columns)}"


def seconds(rows: Rows) -> str:
    """Time of whole fits, in seconds, units and multiples of k-means."""

    def each(value: Callable[[Row], float], digits: int = 2) -> Callable[[Rows], str]:
        return lambda own: f"{median(value(row) for row in own):.{digits}f}"

    def times(own: Rows) -> str:
        pairs = [(row["GEDI"]["seconds"], row["k-means"]["seconds"]) for row in own]
        # Tenths of a second are not measured well enough to divide by.
        known = [ours / theirs for ours, theirs in pairs if theirs > 1]
        return f"{median(known):.2f}" if known else "-"

    return grouped(
        rows,
        {"data": "data"},
        {
            "seeds": count,
            "seconds": each(lambda row: row["GEDI"]["seconds"]),
            "units": each(lambda row: row["GEDI"]["seconds"] / row["unit"]),
            "k-means, seconds": each(lambda row: row["k-means"]["seconds"]),
            "times k-means": times,
            "NMI": each(lambda row: row["GEDI"]["NMI"], 3),
            "k-means, NMI": each(lambda row: row["k-means"]["NMI"], 3),
        },
    )


LIMITED = {"fit": "`fit`", "auto": "`fit`, number found", "command": "command"}


def limits(rows: Rows) -> str:
    """Seconds of trainings with a limit, and how good their clusters are."""

    def of(way: str, words: Callable[[Row], str]) -> Callable[[Rows], str]:
        return lambda group: next((words(row) for row in group if row["way"] == way), "-")

    def took(row: Row) -> str:
        return f"{row['seconds']:.1f}{'' if row['in time'] else ' (late)'}, {row['NMI']:.2f}"

    return grouped(
        rows,
        {"data": "data", "limit": "limit"},
        {f"{name}: seconds, NMI": of(way, took) for way, name in LIMITED.items()},
    )


def how_many(rows: Rows) -> str:
    """Rules for the number of clusters, then what GEDI finds for each table."""
    by_rule = grouped(
        rows,
        {"rule": "rule"},
        {
            "fits": count,
            "right": share(lambda row: row["number"] == row["truth"][0]),
            "within one": share(lambda row: abs(row["number"] - row["truth"][0]) <= 1),
            "within one of a labeling": share(
                lambda row: min(abs(row["number"] - c) for c in row["truth"]) <= 1
            ),
            "seconds": lambda own: (
                f"{median(row['seconds'] for row in own):.1f}" if "seconds" in own[0] else ""
            ),
        },
    )
    own = [row for row in rows if "rivals" in row]
    said = [row for row in own if row["clear"]]
    sure = sum(row["number"] in row["truth"] for row in said)
    clear = (
        f"GEDI calls {len(said)} of {len(own)} of its numbers clear; of these, {sure} are those of "
        f"a labeling. The partition that comes with the number has a mean ARI of "
        f"{fmean(row['ARI'] for row in own):.3f} (median {median(row['ARI'] for row in own):.3f})."
    )

    def found(group: Rows) -> str:
        return ", ".join(f"{row['number']}{doubt(row)}" for row in group)

    def doubt(row: Row) -> str:
        if row["clear"]:
            return ""
        return f" (or {_listed(row['rivals'])})" if row["rivals"] else " (not clear)"

    tables = grouped(
        [{**row, "true": _listed(sorted(set(row["truth"])))} for row in own],
        {"data": "data", "clusters in the labels": "true"},
        {"found, for each seed": found},
    )
    return f"{by_rule}\n{clear}\n\n{tables}"


def how_many_drawn(rows: Rows) -> str:
    """The share of right numbers by family of drawn tables, those without clusters left out."""
    some = [row for row in rows if row["truth"] > 1]
    rules = list(dict.fromkeys(row["rule"] for row in some))

    def right(rule: str) -> Callable[[Rows], str]:
        def told(own: Rows) -> str:
            of_rule = [row for row in own if row["rule"] == rule]
            exact = sum(row["number"] == row["truth"] for row in of_rule)
            near = sum(abs(row["number"] - row["truth"]) <= 1 for row in of_rule)
            return f"{exact}, {near} of {len(of_rule)}"

        return told

    by_family = grouped(some, {"tables": "family"}, {rule: right(rule) for rule in rules})
    all_of_them = grouped(
        [{**row, "family": "all"} for row in some],
        {"tables": "family"},
        {rule: right(rule) for rule in rules},
    )
    last = all_of_them.splitlines()[-1]
    own = [row for row in rows if "rivals" in row]
    clear = {
        told: [row for row in own if row["clear"] and (row["truth"] == 1) == (told == "without")]
        for told in ("with", "without")
    }
    near = sum(abs(row["number"] - row["truth"]) <= 1 for row in clear["with"])
    n = sum(row["truth"] == 1 for row in own)
    return (
        f"{by_family.rstrip()}\n{last}\n\nGEDI calls {len(clear['with'])} of its numbers for "
        f"these tables clear; of these, {near} are within one of the truth. For tables "
        "without clusters (one Gaussian, a box) it calls its number clear in "
        f"{len(clear['without'])} of {n}."
    )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def auroc(mean: Callable[[list[float]], float], *, halves: bool) -> Callable[[Rows], str]:
    """A column of the AUROC of rows that were fitted and scored whole, or by halves."""

    def column(own: Rows) -> str:
        values = [row["AUROC"] for row in own if row["halves"] == halves]
        return f"{mean(values):.3f}" if values else "-"

    return column


def outliers_by_method(rows: Rows) -> str:
    """Outlier scores on labelled tables: a line for each method."""
    return grouped(
        rows,
        {"method": "method"},
        {
            "mean AUROC": auroc(fmean, halves=False),
            "median AUROC": auroc(median, halves=False),
            "mean AUROC, halves": auroc(fmean, halves=True),
            "seconds": lambda own: (
                f"{fmean(row['seconds'] for row in own if not row['halves']):.1f}"
            ),
        },
    )


def outliers(rows: Rows) -> str:
    """Outlier scores on labelled tables: a line for each method, then one for each table."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    whole = auroc(fmean, halves=False)
    by_table = grouped(
        [{**row, "name": f"{row['data']} ({row['n']} x {row['d']})"} for row in rows],
        {"data": "name", "outliers": "outliers"},
        {
            method: lambda own, method=method: whole(  # type: ignore[misc]
                [row for row in own if row["method"] == method]
            )
            for method in methods
        },
    )
    return f"{outliers_by_method(rows)}\n\n{by_table}"


def image_outliers(rows: Rows) -> str:
    """Outlier scores of images: a line for each score, with columns for each data set."""

    def over_foils(data: str, of: Callable[[list[float]], float]) -> Callable[[Rows], str]:
        return lambda own: (
            f"{fmean(of([*row['AUROC'].values()]) for row in own if row['data'] == data):.3f}"
        )

    names = list(dict.fromkeys(row["data"] for row in rows))
    columns = {
        f"{name}, {title}": over_foils(name, of)
        for name in names
        for title, of in (("mean", fmean), ("least", min))
    }
    shown = [{**row, "score": row["score"].replace("|", "\\|")} for row in rows]
    return grouped(shown, {"score": "score"}, columns)


def measured_here(rows: Rows) -> Rows:
    """The rows of methods that the benchmark ran itself."""
    return [row for row in rows if not row["method"].startswith("published")]


def of_features(rows: Rows) -> str:
    """Groups of texts and photographs from the features of pretrained networks."""

    def middle(name: str, digits: int) -> Callable[[Rows], str]:
        return lambda own: f"{median(row[name] for row in own):.{digits}f}"

    order = list(dict.fromkeys(row["data"] for row in rows))
    return grouped(
        sorted(rows, key=lambda row: order.index(row["data"])),
        {"data": "data", "method": "method"},
        {
            "seeds": count,
            "points": lambda own: f"{own[0]['n']:,} x {own[0]['d']}",
            "clusters": lambda own: str(own[0].get("clusters found", own[0]["c"])),
            "accuracy": middle("accuracy", 3),
            "range": lambda own: (
                f"{min(row['accuracy'] for row in own):.3f} to "
                f"{max(row['accuracy'] for row in own):.3f}"
            ),
            "ARI": middle("ARI", 3),
            "NMI": middle("NMI", 3),
            "noise": lambda own: (
                f"{100 * median(row['noise'] for row in own):.0f} %" if "noise" in own[0] else ""
            ),
            "ARI without noise": lambda own: (
                f"{median(row['ARI without noise'] for row in own):.3f}"
                if "ARI without noise" in own[0]
                else ""
            ),
            "seconds": middle("seconds", 1),
        },
    )


def words(rows: Rows) -> str:
    """Accuracy and NMI of groups of texts, with and without vectors of their words."""

    def both(data: str | None = None, n: int | None = None) -> Callable[[Rows], str]:
        def shown(own: Rows) -> str:
            some = [row for row in own if data is None or (row["data"], row["n"]) == (data, n)]
            return " / ".join(f"{fmean(row[name] for row in some):.3f}" for name in measures)

        return shown

    def seeds(own: Rows) -> str:
        return str(len({row["seed"] for row in own}))

    measures = ("accuracy", "NMI")
    sets = groups(rows, "data", "n")
    columns = {f"{data}, {n:,}": both(data, n) for data, n in sets}
    return grouped(rows, {"features": "variant"}, {**columns, "mean": both(), "seeds": seeds})


def directions(rows: Rows) -> str:
    """Mean AUROC by set and by what is compared."""

    def area(data: str) -> Callable[[Rows], str]:
        return lambda own: next((f"{row['AUROC']:.3f}" for row in own if row["data"] == data), "")

    columns = {data: area(data) for (data,) in groups(rows, "data")}
    return grouped(rows, {"compared": "variant"}, columns)


def consensus(rows: Rows) -> str:
    """Accuracy, NMI and agreement by what a training goes on from, set and sizes of classes."""

    def both(data: str | None, sizes: str) -> Callable[[Rows], str]:
        def shown(own: Rows) -> str:
            some = [row for row in own if data in (None, row["data"]) and row["sizes"] == sizes]
            return " / ".join(f"{fmean(row[name] for row in some):.3f}" for name in measures)

        return shown

    measures = ("accuracy", "NMI", "agreement")
    sets = {(data, sizes): f"{data}, {sizes}" for data, sizes in groups(rows, "data", "sizes")}
    columns = {title: both(*key) for key, title in sets.items()}
    means = {f"mean, {sizes}": both(None, sizes) for sizes in ("equal", "unequal")}
    return grouped(rows, {"goes on from": "variant"}, {**columns, **means})


def tune_features(rows: Rows) -> str:
    """Accuracy by set of methods that tune the network of the features, next to the start."""
    sets = [data for (data,) in groups(rows, "data")]

    def mean(own: Rows, of: Callable[[Row], float]) -> str:
        by_set = groups(own, "data").values()
        return f"{fmean(fmean(map(of, some)) for some in by_set):.3f}" if len(by_set) == 3 else ""

    def accuracy(data: str) -> Callable[[Rows], str]:
        def shown(own: Rows) -> str:
            some = [row["accuracy"] for row in own if row["data"] == data]
            return f"{fmean(some):.3f}" if some else ""

        return shown

    def at_the_end(own: Rows) -> str:
        """The mean after the last epoch, whether it was chosen or not."""
        if "accuracy by epoch" in own[0]:
            return mean(own, lambda row: float(row["accuracy by epoch"][-1]))
        is_there = "accuracy at the end" in own[0]
        return mean(own, lambda row: float(row["accuracy at the end"])) if is_there else ""

    def epochs(own: Rows) -> str:
        return ", ".join(
            f"{row['epoch']} of {len(row['accuracy by epoch']) - 1}"
            for row in own
            if "epoch" in row
        )

    return grouped(
        paired(rows, "data"),
        {"method": "method"},
        {
            **{data: accuracy(data) for data in sets},
            "mean": lambda own: mean(own, lambda row: row["accuracy"]),
            "mean, last epoch": at_the_end,
            "epochs chosen": epochs,
            "seconds": lambda own: f"{median(row['seconds'] for row in own):.0f}",
        },
    )


def how_many_features(rows: Rows) -> str:
    """The numbers of clusters that rules find from features of texts and photographs."""
    return grouped(
        rows,
        {"data": "data", "rule": "rule"},
        {
            "classes": lambda own: str(own[0]["truth"]),
            "found": lambda own: ", ".join(str(row["number"]) for row in own),
            "seconds": lambda own: f"{median(row['seconds'] for row in own):.1f}",
        },
    )


def mixed(rows: Rows) -> str:
    """A column of texts, by what it becomes, next to other columns."""

    def beside(name: str) -> Callable[[Rows], str]:
        return lambda own: figure("ARI")([row for row in own if row["beside"] == name])

    return grouped(
        rows,
        {"the vectors become": "texts as"},
        {
            "seeds": lambda own: str(len({row["seed"] for row in own})),
            "texts alone": beside("nothing"),
            "and informative columns": beside("informative"),
            "and uninformative columns": beside("uninformative"),
            "seconds": lambda own: f"{median(row['seconds'] for row in own):.1f}",
        },
    )


def trust(rows: Rows) -> str:
    """The agreement of neighbours in data with and without groups."""
    columns = ("accuracy", "ARI", "found", "without groups", "excess", "gap")

    def shown(name: str) -> Callable[[Rows], str]:
        return lambda own: "" if own[0][name] is None else f"{own[0][name]:.2f}"

    return grouped(
        rows,
        {"data": "data", "points": "kind"},
        {"clusters": lambda own: str(own[0]["c"]), **{name: shown(name) for name in columns}},
    )


def few_texts(rows: Rows) -> str:
    """Axes of few texts: a line for each number of texts."""
    axes = {k: f"{k} axes" for k in rows[0]["ARI"]}
    return listed(
        rows,
        {"texts": "{n}", "subjects": "{c}"}
        | {title: lambda row, k=k: f"{row['ARI'][k]:.2f}" for k, title in axes.items()},  # type: ignore[misc]
    )


def strays(rows: Rows) -> str:
    """Outliers among features of photographs and of texts."""
    return grouped(
        [{**row, "kind": row["data"].partition(",")[0]} for row in rows],
        {"data": "kind", "method": "method"},
        {
            "tasks": lambda own: str(len({row["data"] for row in own})),
            "mean AUROC": lambda own: f"{fmean(row['AUROC'] for row in own):.3f}",
            "least AUROC": lambda own: f"{min(row['AUROC'] for row in own):.3f}",
            "seconds": lambda own: f"{median(row['seconds'] for row in own):.1f}",
        },
    )


def stabilisers(rows: Rows) -> str:
    """What keeps GEN from running away."""
    shown = [{**row, "data": f"{row['data']}, {row['iterations']} iterations"} for row in rows]
    return grouped(
        shown,
        {"data": "data", "variant": "variant"},
        {
            "seeds": count,
            "E samples - E data": figure("contrast", digits=1),
            "largest": figure("largest contrast", digits=1),
            "step size": figure("step size", digits=4),
            "FID": figure("FID", digits=1),
            "precision": figure("precision", digits=2),
            "recall": figure("recall", digits=2),
            "AUROC noise": figure("AUROC uniform noise"),
            "AUROC constant": figure("AUROC constant"),
            "NMI": figure("NMI"),
        },
    )


def energy_matching(rows: Rows) -> str:
    """Starts of GEN for images, in equal processor time."""

    def over_foils(score: str, of: Callable[[list[float]], float]) -> Callable[[Rows], str]:
        def text(own: Rows) -> str:
            found = [of([*row["AUROC"][score].values()]) for row in own if "AUROC" in row]
            return spread(found)

        return text

    return grouped(
        sorted(rows, key=lambda row: "seed" not in row),
        {"variant": "variant"},
        {
            "seeds": lambda own: str(len({row["seed"] for row in own if "seed" in row}) or "-"),
            "NMI": figure("clustering", "NMI"),
            "FID": figure("generation", "FID", digits=1),
            "precision": figure("generation", "precision", digits=2),
            "recall": figure("generation", "recall", digits=2),
            "FID from the base": figure("from the base", "FID", digits=1),
            "AUROC log p, mean": over_foils("log density", fmean),
            "AUROC log p, least": over_foils("log density", min),
            "AUROC outlier score, mean": over_foils("outlier score", fmean),
            "AUROC outlier score, least": over_foils("outlier score", min),
            "iterations": figure("iterations", digits=0),
            "processor seconds": figure("processor seconds", digits=0),
        },
    )


def symbols(rows: Rows) -> str:
    """Symbol grounding, and the accuracy of samples."""
    tasks, methods = list(TASKS), list(RULE_METHODS)
    found = sorted(
        rows,
        key=lambda row: (
            tasks.index(row["task"]),
            row["groups"],
            row["unlabelled"],
            methods.index(row["method"]),
            row["seed"],
        ),
    )
    names = ("task", "groups", "unlabelled", "method", "seed")
    text = rule_table([(RuleCell(*(row[name] for name in names)), row) for row in found])
    sampled = [
        f"{row['task']} of {row['groups']:,} groups"
        f"{' and all images' if row['unlabelled'] else ''}: {row['sample accuracy']:.2f}"
        for row in found
        if "sample accuracy" in row
    ]
    accuracies = (
        "Share of samples, 10 for each symbol, drawn by GEDI (seed 0), that a classifier trained "
        f"on labels assigns to that symbol: {'; '.join(sampled)}."
    )
    return f"{text}\n\n{accuracies}\n" if sampled else f"{text}\n"


def older_rows(rows: Rows) -> str:
    """A remark on rows that are older than the renumbering of clusters."""
    n = sum("rename" not in row["settings"] for row in rows if "GEDI" in row["method"])
    return f" ({n} older rows of GEDI no gen are from before this was possible)" if n else ""


# What rules cost.
rules = by_row(
    {
        "rule": "{rule}",
        "device": "{device}",
        "to compile (ms)": "{compile_ms:.1f}",
        "groups in a batch": "{batch}",
        "batch (ms)": "{batch_ms[median]:.2f}",
        "least": "{batch_ms[least]:.2f}",
    }
)


# Performance


def profiles(rows: Rows) -> str:
    """What an iteration spends its time on, and the floors."""

    def lines_of(row: Row) -> Rows:
        whole = row["parts"]["iteration"]["seconds"][1]
        return [
            {**part, "case": _case(row), "name": name, "took": part["seconds"][1]}
            | {"share": part["seconds"][1] / whole, "peak": row["peak"]}
            for name, part in row["parts"].items()
        ]

    def or_dash(name: str, text: Callable[[Row], str]) -> Callable[[Row], str]:
        return lambda part: text(part) if part[name] else "-"

    return listed(
        [line for row in rows for line in lines_of(row)],
        {
            "data, network, threads": "{case}",
            "part": "{name}",
            "ms": lambda part: f"{1e3 * part['took']:,.2f}",
            "share": "{share:.1%}",
            "floor (ms)": or_dash("floor", lambda part: f"{1e3 * part['floor'][1]:,.2f}"),
            "time / floor": or_dash("ratio", lambda part: three(part["ratio"])),
            "MFLOP": or_dash("flops", lambda part: f"{part['flops'] / 1e6:,.1f}"),
            "of peak": or_dash(
                "flops", lambda part: f"{part['flops'] / part['took'] / part['peak']:.0%}"
            ),
            "MB moved": or_dash("bytes", lambda part: f"{part['bytes'] / 1e6:,.1f}"),
        },
    )


def profile_sizes(rows: Rows) -> str:
    """What lies in memory."""

    def size_of(row: Row, name: str) -> str:
        size = row["sizes"][name]
        each = f" ({size['bytes'] / size['samples']:,.0f} B)" if size["samples"] else ""
        return f"{size['bytes'] / 1e6:,.2f} MB{each}"

    names = list(dict.fromkeys(name for row in rows for name in row["sizes"]))
    sizes = {name: lambda row, name=name: size_of(row, name) for name in names}
    return listed(rows, {"data, network, threads": _case, **sizes})


def _case(row: Row) -> str:
    networks = f", {row['members']} networks" if row["members"] > 1 else ""
    threads = "1 thread" if row["threads"] == 1 else f"{row['threads']} threads"
    return f"{row['case']}{networks}, {threads}"


def peer_iterations(rows: Rows) -> str:
    """An iteration of each loop."""
    loops = [
        {**loop, "threads": row["threads"], "name": name}
        for row in rows
        for name, loop in row["loops"].items()
    ]
    return listed(
        loops,
        {
            "threads": "{threads}",
            "loop": "{name}",
            "ms an iteration": lambda loop: three(loop["ms"]),
            "time / textbook loop's": lambda loop: three(loop["ratio"]),
        },
    )


# Whole trainings to a quality.
peer_trainings = by_row(
    {
        "loop": "{loop}",
        "seed": "{seed}",
        "NMI 0.99 and regret 0.05": lambda row: (
            "reached" if row["reached"] else f"not within {row['budget']:.0f} s"
        ),
        "seconds": "{seconds:.1f}",
        "iterations": "{iterations:,}",
        "NMI": "{NMI:.3f}",
        "regret": "{regret:.3f}",
    }
)


# Whole trainings against the plain loop.
textbook = by_row(
    {
        "pairs": "{repeats}",
        "`gedi train moons` (s)": "{gedi:.1f}",
        "textbook loop (s)": "{textbook:.1f}",
        "ratio: min / median / max": "{ratio[0]:.2f} / {ratio[1]:.2f} / {ratio[2]:.2f}",
    }
)


def fewer_steps(rows: Rows) -> str:
    """Regret and clusters after each budget, by variant."""

    def quality(group: Rows) -> str:
        right = sum(row["NMI"] >= 0.99 for row in group)
        text = f"{median(row['regret'] for row in group):.3f}" if group else "-"
        return text if right == len(group) else f"{text} ({right} of {len(group)})"

    def within(budget: tuple[str, float]) -> Callable[[Rows], str]:
        return lambda group: quality(groups(group, "data", "seconds").get(budget, []))

    budgets = sorted(groups(rows, "data", "seconds"))
    return grouped(
        rows,
        {"variant": "variant"},
        {
            "seeds": lambda group: str(len({row["seed"] for row in group})),
            **{f"{data}, {seconds:g} s": within((data, seconds)) for data, seconds in budgets},
        },
    )


def throughput(rows: Rows) -> str:
    """Images a second, against the textbook loop and the hardware's peak."""
    variants = [
        {**variant, "case": "{data}, batch {batch}, {device}".format_map(row), "name": name}
        for row in rows
        for name, variant in row["variants"].items()
    ]
    return listed(
        variants,
        {
            "data, network, device": "{case}",
            "loop": "{name}",
            "images a second": "{images a second:,.0f}",
            "share of peak": lambda row: (
                f"{row['share of peak']:.0%}" if "share of peak" in row else ""
            ),
            "of textbook": lambda row: three(row["ratio"]),
        },
    )


# Reliability


def stress(rows: Rows) -> str:
    """Runs that ended well, by data and over all."""
    ends = ("finite", "sensible", "better gap", "well")
    by_method = groups(rows, "method").values()
    everything = [{**row, "data": "all"} for group in by_method for row in group]
    shown = sorted([*rows, *everything], key=lambda row: (row["method"], row["data"] == "all"))

    def interventions(group: Rows) -> str:
        if group[0]["method"] != "GEDI":
            return "-"
        return str(sum(len(row["interventions"]) for row in group if row.get("interventions")))

    return grouped(
        shown,
        {"": "method", "data": "data"},
        {
            **{end: share(lambda row, end=end: row[end]) for end in ends},
            "interventions": interventions,
        },
    )


# What an iteration costs with the guard.
guard_cost = by_row(
    {
        "network": "{network}",
        "ms an iteration": "{iteration}",
        "with / without guard": "{ratio[1]} ({ratio[0]} to {ratio[2]})",
        "guard alone, ms": "{alone}",
        "share": "{share:.2%}",
    }
)


# Trainings that were killed and resumed.
kills = by_row(
    {
        "training": "{case}",
        "kills": "{kills}",
        "during a write": "{within_files}",
        "trainings": "{trainings}",
        "differences": lambda row: ", ".join(row["differences"]) or "none",
    }
)


def soak(rows: Rows) -> str:
    """Scenarios of processes that were killed, starved, or much asked, and how long they took."""
    text = grouped(
        rows,
        {"scenario": "scenario"},
        {
            "times": count,
            "ended well": share(lambda row: not row["wrong"]),
            "processes left": lambda group: str(sum(row["left"] for row in group)),
            "seconds each": lambda group: f"{fmean(row['seconds'] for row in group):.0f}",
            "largest memory (MiB)": lambda group: f"{max(row['MiB'] for row in group):,.0f}",
        },
    )
    minutes = sum(row["seconds"] for row in rows) / 60
    return f"{text}\nThe {len(rows)} scenarios took {minutes:,.0f} minutes in all.\n"


def busy(rows: Rows) -> str:
    """Wall time of trainings alone, and beside as many busy loops as there are cores."""

    def seconds(name: str) -> Callable[[Rows], str]:
        return lambda group: f"{median(row[name] for row in group):.1f}"

    def ratio(group: Rows) -> str:
        found = [row["beside loops"] / row["alone"] for row in group]
        return f"{median(found):.2f} ({min(found):.2f} to {max(found):.2f})"

    return grouped(
        rows,
        {"training": "data"},
        {
            "rounds": count,
            "seconds alone": seconds("alone"),
            "beside busy loops": seconds("beside loops"),
            "ratio": ratio,
        },
    )


def threads(rows: Rows) -> str:
    """Trainings with one and two threads."""
    apart = "largest difference of weights"
    looks = {
        f"weights apart after {look}": lambda row, look=look: f"{row[apart][look]:.1e}"
        for look in rows[0][apart]
    }
    return listed(
        rows,
        {
            "data": "{data}",
            "iterations": "{iterations}",
            "same bits again, one thread": lambda row: "yes" if row["same bits again"] else "no",
            **looks,
            "gap, one thread / two": "{gap[0]:.4f} / {gap[1]:.4f}",
            "NMI, one thread / two": "{NMI[0]:.4f} / {NMI[1]:.4f}",
        },
    )


def load(rows: Rows) -> str:
    """Predicting large tables."""
    ways = ("in memory", "streamed")

    def rate(way: str) -> Callable[[Row], str]:
        return lambda row: f"{row['rows'] / row[way]['seconds']:,.0f}"

    def memory_of(way: str) -> Callable[[Row], str]:
        return lambda row: f"{row[way]['MiB'] - row['nothing']['MiB']:,.0f}"

    return listed(
        rows,
        {
            "rows": "{rows:,} x {features}",
            "file": ".{kind}, {MB:,.0f} MB",
            **{f"rows a second, {way}": rate(way) for way in ways},
            **{f"MiB, {way}": memory_of(way) for way in ways},
            "MiB before": "{nothing[MiB]:,.0f}",
            "tables written": lambda row: "the same" if row["same"] else "DIFFERENT",
        },
    )


def costs(rows: Rows) -> str:
    """Whole commands."""

    def megabytes(name: str) -> Callable[[Row], str]:
        return lambda row: f"{row['bytes'][name] / 1e6:,.1f}"

    return listed(
        sorted(rows, key=lambda row: (row["rows"], row["columns"])),
        {
            "rows": "{rows:,} x {columns}",
            "table, MB": megabytes("table"),
            "train, seconds": "{train[seconds]:,.0f}",
            "train, MiB": "{train[MiB]:,.0f}",
            "predict, seconds": "{predict[seconds]:,.0f}",
            "predict, MiB": "{predict[MiB]:,.0f}",
            "model, MB": megabytes("model"),
            "checkpoints, MB": megabytes("checkpoints"),
            "whole run, MB": megabytes("run"),
        },
    )


def memory(rows: Rows) -> str:
    """Predicted peaks of memory."""

    def largest(row: Row) -> str:
        parts = row["parts"].items()
        shown = ((name, size) for name, size in parts if size > row["predicted"] / 20)
        return ", ".join(f"{name} {size / 2**20:,.0f}" for name, size in shown)

    return listed(
        rows,
        {
            "training": "{case}",
            "data": "{points:,} x {features:,}",
            "measured MiB": lambda row: f"{row['measured'] / 2**20:,.0f}",
            "predicted MiB": lambda row: f"{row['predicted'] / 2**20:,.0f}",
            "error": lambda row: f"{row['predicted'] / row['measured'] - 1:+.0%}",
            "largest parts (MiB)": largest,
        },
    )


def fuzz(rows: Rows) -> str:
    """What readers made of files that were changed at random."""

    def refused(group: Rows) -> str:
        return f"{sum(row['refused'] for row in group) / sum(row['tried'] for row in group):.0%}"

    return grouped(
        rows,
        {"reader": "reader"},
        {
            "inputs": lambda group: f"{sum(row['tried'] for row in group):,}",
            "refused": refused,
            "crashes left": lambda group: str(len({w for row in group for w in row["crashes"]})),
            "slowest (s of a core)": lambda group: f"{max(row['slowest'] for row in group):.2f}",
        },
    )


# Size


STREAMED = {
    "read": "pyarrow alone, all rows once",
    "stream": "all rows once, mixed, scaled, in batches of 256",
    "two streams": "the same by two processes at once, seconds of the slower",
    "train": "training on the stream",
    "train by two": "training on the stream by two processes",
    "train in memory": "training on one shard in memory",
    "datasets": "`datasets`: all rows once, buffer of 10,000, Arrow batches of 256",
}


def streaming(rows: Rows) -> str:
    """Reading and training on shards, by way and size."""
    ways, one_shard = list(STREAMED), ("train in memory", "datasets")
    known = (row for row in rows if row["way"] in STREAMED)
    return listed(
        sorted(known, key=lambda row: (ways.index(row["way"]), row["gigabytes"])),
        {
            "what": lambda row: STREAMED[row["way"]],
            "GB": lambda row: "0.2" if row["way"] in one_shard else f"{row['gigabytes']:g}",
            "rows": "{rows:,}",
            "seconds": "{seconds:.1f}",
            "rows a second": lambda row: f"{row['rows'] / row['seconds']:,.0f}",
            "set-up (s)": "{set-up:.1f}",
            "peak memory (MiB)": "{MiB:,.0f}",
        },
    )


def growth(rows: Rows) -> str:
    """A section for each thing that grows: slopes, picture and table."""
    sections = []
    for axis, name in COUNTED.items():
        found = sorted((row for row in rows if row["axis"] == axis), key=lambda row: row[name])
        if not found:
            continue
        measures = OVER_ITERATIONS if axis == "iterations" else MEASURES
        sizes = [row[name] for row in found]
        slopes = []
        for measure, words in measures.items():
            values = [row[measure] for row in found]
            slopes.append(
                f"{words.partition(' (')[0]} {slope(sizes, values):.2f} "
                f"(last step {slope(sizes[-2:], values[-2:]):.2f})"
            )
        fixed = ", ".join(f"{key} = {found[0][key]:,}" for key in ("n", "d", "c") if key != name)
        columns = {words: f"{{{measure}:.4g}}" for measure, words in measures.items()}
        sections.append(
            f"### {axis.capitalize()}\n\n![Seconds and memory over {axis}](growth-{axis}.png)\n\n"
            f"*Slopes over {axis} at {fixed}: {', '.join(slopes)}.*\n\n"
            + listed(found, {axis: f"{{{name}:,}}", **columns})
        )
    sections += [
        f"In one process, taking turns, an iteration with {row['c'][1]:,} clusters takes "
        f"{row['ratio']:.2f} times as long as with {row['c'][0]}.\n"
        for row in rows
        if row["axis"] == "ratio"
    ]
    return "\n".join(sections)


def update(rows: Rows) -> str:
    """Updates next to training again."""

    def mean(name: str, digits: int = 2) -> Callable[[Rows], str]:
        return lambda own: f"{fmean(row[name] for row in own):.{digits}f}"

    return grouped(
        rows,
        {"data": "data", "classes": "classes"},
        {
            "ARI before": mean("ARI before"),
            "ARI": mean("ARI"),
            "trained again": mean("ARI again"),
            "new class found": share(lambda row: row["found"]),
            "vanished one told": share(lambda row: row["told"]),
            "old rows kept": lambda own: f"{fmean(row['kept'] for row in own):.1%}",
            "trained again, kept": lambda own: f"{fmean(row['kept again'] for row in own):.1%}",
            "seconds": mean("seconds", 1),
            "trained again, seconds": mean("seconds again", 1),
        },
    )


def last_processes(rows: Rows) -> Rows:
    """The last measurement of exchanges, and of each network."""
    exchanges, iterations = of_kind("exchange")(rows), of_kind("iteration")(rows)
    return [exchanges[-1], *{row["network"]: row for row in iterations}.values()]


def processes(rows: Rows) -> str:
    """Exchanges by size, and iterations with one and two processes and, by the formula, more."""
    exchange, *networks = rows
    times = {int(size): value for size, value in exchange["microseconds"].items()}
    alpha, largest = times[min(times)] / 1000, max(times)  # ms
    beta = largest / (times[largest] / 1000 - alpha)  # bytes a ms

    def speed_up(row: Row, n: int) -> str:
        fixed = min(row["one"], max(0.0, 2 * row["one, half the batch"] - row["one"]))
        waiting = row["exchanges"]["exchanges"] * alpha * math.log2(n)
        gradient = 8 * row["parameters"] * (n - 1) / (n * beta)
        return f"{row['one'] / (fixed + (row['one'] - fixed) / n + waiting + gradient):.1f}"

    sizes = [f"{size:,}" for size in times]
    titles = ["bytes of an exchange between two processes", *sizes]
    exchanges = table(titles, [["µs", *(f"{value:,.0f}" for value in times.values())]])
    iterations = listed(
        networks,
        {
            "network, batch 400": "{network}",
            "parameters": "{parameters:,}",
            "ms, one process": "{one:.1f}",
            "ms, half the batch": "{one, half the batch:.1f}",
            "ms, two processes": "{two:.1f}",
            "two over one (range)": lambda row: three(
                (row["ratios"][0], median(row["ratios"]), row["ratios"][-1])
            ),
            "small exchanges": "{exchanges[exchanges]:.0f}",
            "their bytes": "{exchanges[bytes]:.0f}",
            "MiB, one / each of two": "{MiB, one} / {MiB each, two}",
            **{
                f"speed-up of {n} (formula)": lambda row, n=n: speed_up(row, n)
                for n in (2, 4, 8, 16)
            },
        },
    )
    return (
        f"{exchanges}\n{iterations}\nα = {1000 * alpha:.0f} µs, β = {beta / 1e6:.2f} GB a second; "
        f"load of the machine {exchange['load']}, medians of {exchange['rounds']} rounds.\n"
    )


def agreement(rows: Rows) -> str:
    """How far fits with different seeds agree, and what each of them expects."""

    def value(row: Row, name: str) -> float:
        return fmean(row[name])

    def line(row: Row) -> Row:
        numbers = sorted(set(row["found"]))
        return {
            **row,
            "number": "given" if row["number"] == "given" else ", ".join(map(str, numbers)),
            "labels": value(row, "ARI"),
            "expects": value(row, "expected"),
        }

    sections = []
    for number, words in (("given", "is given"), ("found", "is found by each fit")):
        own = [row for row in rows if row["number"] == number]
        if not own:
            continue
        measured = [row["agreement"] for row in own]
        expected = [value(row, "expected") for row in own]
        right = [row for row in own if value(row, "ARI") >= _RIGHT]
        steady = [row for row in right if row["agreement"] >= _STEADY]
        over = max(e - m for e, m in zip(expected, measured, strict=True))
        rank = spearmanr(measured, expected).statistic
        lower = fmean(measured) - fmean(expected)
        stated = (
            f" The rank correlation of the measured and the expected agreement is {rank:.2f}; the "
            f"expected one is {lower:.2f} lower on average, and at most {over:.2f} higher."
        )
        sections.append(
            f"*The number of clusters {words}: {len(own)} tables. Of the {len(right)} whose "
            f"clusters agree with the labels (ARI from {_RIGHT} on), {len(steady)} have an "
            f"agreement of at least {_STEADY}.{stated if number == 'given' else ''}*\n\n"
            + listed(
                [line(row) for row in sorted(own, key=lambda row: row["agreement"])],
                {
                    "data": "{data}",
                    "rows": "{n:,}",
                    "fits": "{seeds}",
                    "clusters": "{clusters}",
                    **({} if number == "given" else {"found": "{number}"}),
                    "ARI to the labels": "{labels:.2f}",
                    "agreement": "{agreement:.3f}",
                    "least of two fits": "{least:.3f}",
                    f"expected{'' if number == 'given' else ' at its number'}": "{expects:.2f}",
                },
            )
        )
    return "\n".join(sections)


def python(arguments: str) -> str:
    """The command of a benchmark."""
    return f"python benchmarks/{arguments}"


TABLES = {
    "toys": Table(python("toys.py --seeds 20"), toys),
    "digits": Table(python("digits.py --seeds 5"), digits),
    "tables": Table(python("tables.py --seeds 5"), tables),
    "clustering": Table(python("clustering.py FOLDER"), clustering),
    "headline": Table(None, headline, "clustering", measured_here),
    "pool_choice": Table(python("clustering.py FOLDER --choice"), pool_choice),
    "seconds": Table(python("seconds.py"), seconds),
    "how_many": Table(python("how_many.py FOLDER"), how_many),
    "how_many_drawn": Table(python("how_many.py --drawn"), how_many_drawn),
    "outliers": Table(python("outliers.py FOLDER"), outliers),
    "compared_clusters": Table(
        python("clustering.py FOLDER"), clusters_by_method, "clustering", measured_here
    ),
    "limits": Table(python("limits.py --images FOLDER"), limits),
    "compared_seconds": Table(python("seconds.py"), seconds, "seconds"),
    "compared_outliers": Table(python("outliers.py FOLDER"), outliers_by_method, "outliers"),
    "image_outliers": Table(python("image_outliers.py DATA MODELS"), image_outliers),
    "groups": Table(python("groups.py FOLDER"), of_features),
    "words": Table(python("words.py FOLDER TEXTS"), words),
    "consensus": Table(python("consensus.py FOLDER"), consensus),
    "directions": Table(python("directions.py FOLDER"), directions),
    "tune_features": Table(
        python("tune_features.py FOLDER --text-model FOLDER --seeds 1"), tune_features
    ),
    "how_many_features": Table(
        python("how_many.py FOLDER --features --seeds 1"), how_many_features
    ),
    "trust": Table(python("trust.py FOLDER --points 3000"), trust),
    "compared_texts": Table(
        python("groups.py FOLDER"),
        of_features,
        "groups",
        lambda rows: [row for row in rows if not row["data"].startswith("cifar")],
    ),
    "mixed": Table(python("mixed.py FOLDER"), mixed, select=of_kind("mixed")),
    "few_texts": Table(python("mixed.py FOLDER"), few_texts, "mixed", of_kind("few")),
    "strays": Table(python("strays.py FOLDER"), strays),
    "embeddings": Table(python("embeddings.py"), embeddings),
    "labels": Table(None, labels),
    "calibration": Table(python("labels.py --seeds 5"), calibration, "labels"),
    "density": Table(python("density.py --seeds 3"), density),
    "normalizer": Table(python("normalizer.py"), normalizer),
    "images": Table(None, images),
    "stabilisers": Table(python("stabilisers.py --data DATA"), stabilisers),
    "energy_matching": Table(python("energy_matching.py DATA FOLDER"), energy_matching),
    "symbols": Table("gedi reproduce addition --data mnist", symbols),
    "older_rows": Table(None, older_rows, "symbols"),
    "rules": Table(python("rules.py"), rules),
    "profiles": Table(python("profiles.py"), profiles),
    "profile_sizes": Table(None, profile_sizes, "profiles"),
    "peer_iterations": Table(python("peers.py"), peer_iterations, "peers", of_kind("iteration")),
    "peer_trainings": Table(python("peers.py"), peer_trainings, "peers", of_kind("training")),
    "textbook": Table(python("textbook.py"), textbook),
    "fewer_steps": Table(python("fewer_steps.py"), fewer_steps),
    "throughput": Table(python("throughput.py --case ... --batch ..."), throughput),
    "stress": Table(python("stress.py"), stress),
    "guard_cost": Table(python("stress.py --cost"), guard_cost, select=lambda rows: rows[-1:]),
    "kills": Table(python("kills.py"), kills),
    "soak": Table(python("soak.py"), soak),
    "threads": Table(python("threads.py"), threads),
    "load": Table(python("load.py"), load),
    "costs": Table(python("costs.py"), costs),
    "memory": Table(python("memory.py"), memory),
    "fuzz": Table(python("fuzz.py --seconds 10 --seed 1 --store"), fuzz),
    "streaming": Table(python("streaming.py"), streaming),
    "agreement": Table(python("agreement.py FOLDER"), agreement),
    "growth": Table(python("growth.py"), growth),
    "busy": Table(python("busy.py"), busy),
    "update": Table(python("update.py"), update),
    "processes": Table(python("processes.py"), processes, select=last_processes),
}
