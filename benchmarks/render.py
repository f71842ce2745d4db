"""Write docs/results.md, and tables of other pages, from the stored rows of the benchmarks.

Nothing in the first is typed by hand. In the others a table stands between two lines of comment,
`<!-- rows of NAME -->` and `<!-- end of NAME -->`, and all else is left as it is.

python benchmarks/render.py
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any, get_args

from common import read
from gedi.experiments.comparisons import METHODS, Cell, TableName, comparison_table
from gedi.experiments.grounding import RULE_METHODS, RuleCell, rule_table
from gedi.experiments.markdown import spread as spread_of
from gedi.experiments.markdown import table
from gedi.experiments.tasks import TASKS
from growth import COUNTED, MEASURES, OVER_ITERATIONS, slope

Row = dict[str, Any]
PAGE = Path(__file__).parents[1] / "docs" / "results.md"
RELIABILITY = PAGE.with_name("reliability.md")
STREAMING, GROWTH = PAGE.with_name("streaming.md"), PAGE.with_name("growth.md")
SCALING = PAGE.with_name("scaling.md")
PERFORMANCE = PAGE.with_name("performance.md")

GEDI_CLASSIFIER = "GEDIClassifier"
WHEN = ("before", "after")
DENSITIES = ("GEDI", "Gaussian mixture", "neural spline flow")

HEAD = """\
# Results

Made by `python benchmarks/render.py` from the rows in `benchmarks/results/`, which the commands
below wrote. All figures are with default settings unless a column says otherwise. Seconds are wall
time on a shared machine that did other work as well: compare ratios measured in one run, not them.
"""

IMAGES = """\
All methods have the same encoder, views, batch and budget, and GEDI and JEM the same sampler.
Measured on the test part, which is not trained on. Clusters of Barlow Twins are those of k-means on
its embedding. Minutes are those of the training, without the measuring. FID and KID are distances
between 2,000 samples and 2,000 test images in the features of a small classifier that was trained on
the labels of the training part: they compare with each other, not with those of Inception. The
energy of GEDI no gen is a by-product above the Gaussian of the data, which alone tells noise apart;
that of Barlow Twins and SwAV is a by-product without it.
"""

STABILISERS = """\
GEDI with GEN from the start, one network and the small encoder, at the full learning rate; FID,
precision and recall of 500 samples. Contrastive divergence has run away where samples and data are
many nats apart and the step size has collapsed. `benchmarks/stabilisers.py` says what the variants
are and where they come from.

"""


def spread(rows: Sequence[Row], name: str, digits: int = 3) -> str:
    """Median, and the range over seeds."""
    return spread_of([row[name] for row in rows if row.get(name) is not None], digits)


def groups(rows: Sequence[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of some columns, in the order of appearance."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row.get(name) for name in names), []).append(row)
    return found


def paired(rows: Sequence[Row], *names: str) -> list[Row]:
    """Of each group, the rows of the seeds that all of its methods have, methods in turn."""
    kept = []
    for found in groups(rows, *names).values():
        methods = groups(found, "method").values()
        seeds = set.intersection(*({row["seed"] for row in part} for part in methods))
        kept += [row for part in methods for row in part if row["seed"] in seeds]
    return kept


def made_by(rows: Sequence[Row], command: str) -> str:
    """Where and when."""
    places = sorted({row["hardware"] for row in rows if "hardware" in row})
    dates = sorted({row["date"] for row in rows if "date" in row})
    when = f"; {dates[0]}" if dates else ""
    return f"`{command}`; {'; '.join(places)}{when}.\n"


def toys() -> str:
    """Moons and circles."""
    rows, rivals = read("toys"), read("mixtures")
    lines = [
        [
            data,
            method,
            str(len(found)),
            f"{sum(row['NMI'] >= 0.99 for row in found)} of {len(found)}",
            spread(found, "NMI"),
            spread(found, "regret", 4),
            spread(found, "gap"),
        ]
        for (data, method), found in groups(rows, "data", "method").items()
    ]
    lines += [
        [
            data,
            "Gaussian mixture, 30 components (clusters: 2)",
            str(len(found)),
            f"{sum(row['NMI'] >= 0.99 for row in found)} of {len(found)}",
            spread(found, "NMI"),
            spread(found, "regret", 4),
            "-",
        ]
        for (data,), found in groups(rivals, "data").items()
    ]
    titles = [
        "data",
        "model",
        "seeds",
        "NMI >= 0.99",
        "NMI",
        "regret (nats)",
        "collapse gap (nats)",
    ]
    return (
        "## Moons and circles\n\n"
        "10,000 points, noise 0.05, factor 0.5; measured on 2,000 fresh points. Regret is the mean "
        "of log p_true - log p_model. Median over seeds, and range.\n\n"
        + table(titles, lines)
        + "\n"
        + made_by(rows, "python benchmarks/toys.py --seeds 20")
    )


def textbook() -> str:
    """Whole training against the plain loop."""
    rows = read("textbook")
    lines = [
        [
            str(row["repeats"]),
            f"{row['gedi']:.1f}",
            f"{row['textbook']:.1f}",
            " / ".join(f"{value:.2f}" for value in row["ratio"]),
        ]
        for row in rows
    ]
    titles = ["pairs", "`gedi train moons` (s)", "textbook loop (s)", "ratio: min / median / max"]
    return table(titles, lines) + "\n" + made_by(rows, "python benchmarks/textbook.py")


def digits() -> str:
    """Digits and ablations."""
    rows = read("digits")
    lines = [
        [
            method,
            budget,
            str(len(found)),
            spread(found, "iterations", 0),
            spread(found, "NMI"),
            spread(found, "accuracy"),
            spread(found, "contrast", 1),
            *(spread(found, f"AUROC {kind}") for kind in ("uniform noise", "shuffled", "inverted")),
        ]
        for (method, budget), found in groups(rows, "method", "budget").items()
    ]
    titles = [
        "method",
        "equal",
        "seeds",
        "iterations",
        "NMI",
        "accuracy",
        "E samples - E data",
        "AUROC noise",
        "AUROC shuffled",
        "AUROC inverted",
    ]
    paired = groups([row for row in rows if row["budget"] == "iterations"], "seed")
    differences = [
        by["GEDI"]["NMI"] - by["no gen"]["NMI"]
        for found in paired.values()
        if {"GEDI", "no gen"} <= (by := {row["method"]: row for row in found}).keys()
    ]
    note = (
        "NMI of GEDI less that of no gen on paired seeds: "
        + ", ".join(f"{value:+.3f}" for value in differences)
        + ".\n"
        if differences
        else ""
    )
    return (
        "## Digits\n\n1,797 scans of 8x8 pixels, fitted and measured on all of them; *held out* is "
        "fitted on 1,300 and measured on 497. JEM has no clustering terms, so its clusters are a by-product; "
        "no gen has no density, so its energies mean little. *E samples - E data* is the distance "
        "in nats between the energies of samples and of data: small is good.\n\n"
        + table(titles, lines)
        + "\n"
        + note
        + "\n"
        + made_by(rows, "python benchmarks/digits.py --seeds 5")
    )


def tables() -> str:
    """Tables that were not tuned on."""
    rows = read("tables")
    lines = [
        [data, method, str(len(found)), spread(found, "NMI"), spread(found, "accuracy")]
        for (data, method), found in groups(rows, "data", "method").items()
    ]
    return (
        "## Tables that no default was chosen on\n\nWine (178 x 13), breast cancer (569 x 30), and "
        "blobs of 1000, 500, 250, 150 and 100 points in 20 dimensions. *Prior given*: the true "
        "shares of the clusters as `prior`; *prior learned*: `prior='learned'`.\n\n"
        + table(["data", "model", "seeds", "NMI", "accuracy"], lines)
        + "\n"
        + made_by(rows, "python benchmarks/tables.py --seeds 5")
    )


def embeddings() -> str:
    """Clusters of unequal sizes among embeddings, and of plain tables."""
    rows = read("embeddings")
    lines = [
        [
            f"{data}, {found[0]['points']:,} of {found[0]['n']:,}" if found[0].get("n") else data,
            method,
            str(len(found)),
            spread(found, "NMI"),
            spread(found, "ARI"),
            spread(found, "seconds", 1),
            spread(found, "peak memory", 2) if found[0].get("n") else "-",
        ]
        for (data, method), found in groups(rows, "data", "method").items()
    ]
    return (
        "## Embeddings\n\nSynthetic unit vectors of 384 dimensions in 20 clusters with shares of "
        "about 1/1, 1/2, ... 1/20, each curved and of few dimensions, a fifth of the points drawn "
        "towards another cluster; and plain digits, wine and breast cancer. Memory is the peak "
        "above that after the imports, in sizes of the data. Methods that do not reach all points "
        "in reasonable time or memory get 10,000. HDBSCAN is not told the number of clusters.\n\n"
        + table(["data", "model", "seeds", "NMI", "ARI", "seconds", "memory"], lines)
        + "\n"
        + made_by(rows, "python benchmarks/embeddings.py")
    )


def labels() -> str:
    """Few labels, and calibration."""
    rows = read("labels")
    shown = [GEDI_CLASSIFIER, *(better(rows, kind) for kind in ("LabelSpreading", "self-training"))]
    accuracies = [
        [
            str(count),
            method,
            str(len(found)),
            spread(found, "unlabelled"),
            spread(found, "held out"),
        ]
        for (count, method), found in groups(paired(rows, "labels"), "labels", "method").items()
        if method in shown
    ]
    calibration = [
        [
            str(count),
            str(len(found)),
            spread(found, "temperature", 1),
            *(spread(found, f"{name} {when}") for name in ("ECE", "NLL") for when in WHEN),
        ]
        for (count, method), found in groups(rows, "labels", "method").items()
        if method == GEDI_CLASSIFIER
    ]
    titles = ["labels", "seeds", "temperature"]
    titles += [f"{name}, {when}" for name in ("ECE", "NLL (nats)") for when in WHEN]
    return (
        "## Few labels\n\nAccuracy on the digits when 10 or 50 of 1,300 training points are "
        "labelled, at least one of each class: on the unlabelled points, and on 497 held out. "
        "Pixels scaled to [0, 1] for the rivals. LabelSpreading was run with kernel knn (7 "
        "neighbours) and rbf (gamma 20), SelfTrainingClassifier with SVC(C=10, probability=True) "
        "and LogisticRegression(C=10); the better on average is shown, by these very figures.\n\n"
        + table(["labels", "model", "seeds", "unlabelled", "held out"], accuracies)
        + "\nHow far GEDIClassifier's p(y|x) can be believed on the points held out: expected "
        "calibration error (15 bins) and mean negative log-likelihood, *before* and *after* the "
        "temperature, which is fitted without further labels; how, was chosen on seeds 0 and 1.\n\n"
        + table(titles, calibration)
        + "\n"
        + made_by(rows, "python benchmarks/labels.py --seeds 5")
    )


def better(rows: Sequence[Row], kind: str) -> str:
    """The method of a kind with the highest mean accuracy."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if row["method"].startswith(kind):
            values.setdefault(row["method"], []).extend((row["unlabelled"], row["held out"]))
    return max(values, key=lambda method: fmean(values[method]), default="")


def density() -> str:
    """Held-out log-density against other models."""
    rows = read("density")
    lines = []
    for (data,), found in groups(paired(rows, "data"), "data").items():
        by = {method: part for (method,), part in groups(found, "method").items()}
        ours = by.get("GEDI", [])
        sizes = {(row["n"], row["d"]) for row in found}
        lines.append(
            [
                data,
                " / ".join(f"{n} x {d}" for n, d in sorted(sizes)),
                str(len({row["seed"] for row in found})),
                *(spread(by.get(method, []), "log-density") for method in DENSITIES),
                spread(ours, "log-density, training part"),
                spread(ours, "log Z error", 2),
                f"{sum(row['trusted'] for row in ours)} of {len(ours)}" if ours else "-",
                spread(ours, "outside", 2),
            ]
        )
    titles = [
        "data",
        "points fitted",
        "seeds",
        *DENSITIES,
        "GEDI, fitted points",
        "error of log Z",
        "trusted",
        "outside",
    ]
    return (
        "## Held-out log-density\n\nMean log p(x) of held-out points in nats, in the units of "
        "the standardised training data; large is good. Constant columns are dropped, columns of "
        "whole numbers get uniform noise from [0, 1), alike for all models; digits are vectors "
        "here, not images. The mixture's components (1 to 100), kind of covariance and regulariser, "
        "and the flow's number of steps (2,000 at most, as GEDI's) are chosen on a fifth of the "
        "training part, as is the width of the flow's networks (32 or 128); the rivals are then "
        "fitted to all of it. GEDI has default settings and as many clusters as there are classes. "
        "Its figure is as good as its log Z: the table has its standard error, how often it is to "
        "be trusted, and the share of held-out points outside the box that it is over.\n\n"
        + table(titles, lines)
        + "\n"
        + made_by(rows, "python benchmarks/density.py --seeds 3")
    )


def normalizer() -> str:
    """Log Z where it is known."""
    rows = read("normalizer")
    lines = [
        [
            data,
            str(d),
            str(len(found)),
            f"{fmean(row['off'] for row in found):+.3f}",
            f"{fmean(row['off'] ** 2 for row in found) ** 0.5:.3f}",
            f"{median(row['error'] for row in found):.3f}",
            f"{fmean(abs(row['off']) < 2 * row['error'] for row in found):.0%}",
            f"{sum(row['trusted'] for row in found)} of {len(found)}",
            f"{median(row['seconds'] for row in found):.1f}",
        ]
        for (data, d), found in groups(rows, "data", "d").items()
    ]
    titles = [
        "energy",
        "dimensions",
        "seeds",
        "mean error",
        "root mean square error",
        "error bar",
        "within two bars",
        "trusted",
        "seconds",
    ]
    return (
        "## The normaliser\n\nErrors, in nats, of log Z by annealing with default settings on "
        "energies whose log Z is known (`benchmarks/known_energies.py`).\n\n"
        + table(titles, lines)
        + "\n"
        + made_by(rows, "python benchmarks/normalizer.py")
    )


def images() -> str:
    """The paper's comparisons on images, and on the toys."""
    rows = read("images")
    found = [
        (Cell(row["method"], row["data"], row["seed"], row["budget"], row["preset"]), row)
        for row in sorted(rows, key=lambda row: list(METHODS).index(row["method"]))
    ]
    parts = ["## The paper's comparisons\n", IMAGES]
    for name in get_args(TableName):
        own = [(cell, row) for cell, row in found if name in row["tables"]]
        if own:
            command = f"gedi reproduce {name}"
            parts += [
                f"### {name}\n",
                comparison_table(name, own),
                made_by([r for _, r in own], command),
            ]
    return "\n".join(parts)


def stabilisers() -> str:
    """What keeps GEN from running away."""
    rows = read("stabilisers")
    figures = {
        "E samples - E data": ("contrast", 1),
        "largest": ("largest contrast", 1),
        "step size": ("step size", 4),
        "FID": ("FID", 1),
        "precision": ("precision", 2),
        "recall": ("recall", 2),
        "AUROC noise": ("AUROC uniform noise", 3),
        "AUROC constant": ("AUROC constant", 3),
        "NMI": ("NMI", 3),
    }
    lines = [
        [
            f"{data}, {iterations} iterations",
            variant,
            str(len(part)),
            *(spread(part, name, digits) for name, digits in figures.values()),
        ]
        for (data, iterations, variant), part in groups(
            rows, "data", "iterations", "variant"
        ).items()
    ]
    return (
        "## Stabilisers\n\n"
        + STABILISERS
        + table(["data", "variant", "seeds", *figures], lines)
        + "\n"
        + made_by(rows, "python benchmarks/stabilisers.py --data DATA")
    )


def profiles() -> str:
    """What an iteration spends its time on, and the floors."""
    rows = read("profiles")
    lines = []
    for row in rows:
        whole = row["parts"]["iteration"]["seconds"][1]
        for name, part in row["parts"].items():
            seconds = part["seconds"][1]
            lines.append(
                [
                    _case(row),
                    name,
                    f"{1e3 * seconds:,.2f}",
                    f"{seconds / whole:.1%}",
                    f"{1e3 * part['floor'][1]:,.2f}" if part["floor"] else "-",
                    _ratio(part["ratio"]) if part["ratio"] else "-",
                    f"{part['flops'] / 1e6:,.1f}" if part["flops"] else "-",
                    f"{part['flops'] / seconds / row['peak']:.0%}" if part["flops"] else "-",
                    f"{part['bytes'] / 1e6:,.1f}" if part["bytes"] else "-",
                ]
            )
    titles = ["data, network, threads", "part", "ms", "share", "floor (ms)", "time / floor"]
    titles += ["MFLOP", "of peak", "MB moved"]
    return table(titles, lines) + "\n" + made_by(rows, "python benchmarks/profiles.py")


def profile_sizes() -> str:
    """What lies in memory."""
    rows = read("profiles")
    names = list(dict.fromkeys(name for row in rows for name in row["sizes"]))
    lines = [[_case(row), *(_size(row["sizes"][name]) for name in names)] for row in rows]
    return table(["data, network, threads", *names], lines)


def _case(row: Row) -> str:
    networks = f", {row['members']} networks" if row["members"] > 1 else ""
    threads = "1 thread" if row["threads"] == 1 else f"{row['threads']} threads"
    return f"{row['case']}{networks}, {threads}"


def _size(size: Row) -> str:
    each = f" ({size['bytes'] / size['samples']:,.0f} B)" if size["samples"] else ""
    return f"{size['bytes'] / 1e6:,.2f} MB{each}"


def peer_iterations() -> str:
    """An iteration of each loop."""
    rows = [row for row in read("peers") if row["kind"] == "iteration"]
    lines = [
        [str(row["threads"]), name, _ratio(found["ms"]), _ratio(found["ratio"])]
        for row in rows
        for name, found in row["loops"].items()
    ]
    titles = ["threads", "loop", "ms an iteration", "time / textbook loop's"]
    return table(titles, lines) + "\n" + made_by(rows, "python benchmarks/peers.py")


def peer_trainings() -> str:
    """Whole trainings to a quality."""
    rows = [row for row in read("peers") if row["kind"] == "training"]
    lines = [
        [
            row["loop"],
            str(row["seed"]),
            "reached" if row["reached"] else f"not within {row['budget']:.0f} s",
            f"{row['seconds']:.1f}",
            f"{row['iterations']:,}",
            f"{row['NMI']:.3f}",
            f"{row['regret']:.3f}",
        ]
        for row in rows
    ]
    titles = ["loop", "seed", "NMI 0.99 and regret 0.05", "seconds", "iterations", "NMI", "regret"]
    return table(titles, lines) + "\n" + made_by(rows, "python benchmarks/peers.py")


def symbols() -> str:
    """Symbol grounding: tasks of which only a rule is observed."""
    rows = read("symbols")
    found = [
        (RuleCell(row["task"], row["groups"], row["unlabelled"], row["method"], row["seed"]), row)
        for row in rows
    ]
    order = list(TASKS)
    found.sort(
        key=lambda pair: (
            order.index(pair[0].task),
            pair[0].n_groups,
            pair[0].unlabelled,
            list(RULE_METHODS).index(pair[0].method),
            pair[0].seed,
        )
    )
    sampled = [
        f"{row['task']} of {row['groups']:,} groups{' beside all images' if row['unlabelled'] else ''}: "
        f"{row['sample accuracy']:.2f}"
        for _, row in found
        if "sample accuracy" in row
    ]
    samples = (
        "\n\nShare of 10 samples of each symbol, drawn by GEDI (seed 0), that a classifier trained on "
        "labels takes for that symbol: " + "; ".join(sampled) + "."
        if sampled
        else ""
    )
    n_older = sum("rename" not in row["settings"] for row in rows if "GEDI" in row["method"])
    older = f" ({n_older} older rows of GEDI no gen could not yet)" if n_older else ""
    return (
        "## Symbol grounding\n\nImages of MNIST in groups, of which only the outcome of a rule is "
        "observed: `addition` the sum of two digits, `carry` that of two numbers of two digits, `parity` "
        "whether a sum of two digits is odd, `ordering` whether three digits ascend, `sudoku` whether a "
        "4x4 board is valid. All methods have the same small encoder, batch, minutes and rule; `rule "
        "alone` has no other term. Clusters of GEDI and GEDI no gen change their numbers where the rule "
        f"finds that likelier{older}; those of rivals keep theirs, as published, but for `SwAV "
        "renamed`. Only images of the groups are seen, unless all 60,000 are there "
        "`beside them`, without outcomes. `symbol accuracy` is that of single test images without any "
        "matching; parity and sudoku cannot name the symbols, as renaming them changes no outcome, and "
        "`matched accuracy` counts. `outcomes right` are test groups whose outcome the model finds more likely "
        "than all others together, and the same for those trained on: where it is far above symbol "
        "accuracy, training has taken a shortcut. `rule's share` is that of the rule, with its gradient, "
        "in the time of an iteration. Median and standard deviation over seeds, which also draw the "
        "groups.\n\n"
        + rule_table(found)
        + samples
        + "\n\n"
        + made_by(rows, "gedi reproduce addition --data mnist")
    )


def rules() -> str:
    """What rules cost."""
    rows = read("rules")
    lines = [
        [
            row["rule"],
            row["device"],
            f"{row['compile_ms']:.1f}",
            str(row["batch"]),
            f"{row['batch_ms']['median']:.2f}",
            f"{row['batch_ms']['least']:.2f}",
        ]
        for row in rows
    ]
    titles = ["rule", "device", "to compile (ms)", "groups in a batch", "batch (ms)", "least"]
    return (
        "## Rules\n\nTime to compile a rule once, and of log P and its gradients for one batch, the softmax "
        "included: medians, and the least.\n\n"
        + table(titles, lines)
        + "\n"
        + made_by(rows, "python benchmarks/rules.py")
    )


def fewer_steps() -> str:
    """Regret and clusters after each budget, by variant."""
    rows = read("fewer_steps")
    budgets = sorted(groups(rows, "data", "seconds"), key=lambda key: (key[0], key[1]))
    lines = []
    for (variant,), found in groups(rows, "variant").items():
        cells = groups(found, "data", "seconds")
        lines.append(
            [
                variant,
                str(len({row["seed"] for row in found})),
                *(_quality(cells.get(budget, [])) for budget in budgets),
            ]
        )
    titles = ["variant", "seeds", *(f"{data}, {seconds:g} s" for data, seconds in budgets)]
    command = "python benchmarks/fewer_steps.py"
    return table(titles, lines) + "\n" + made_by(rows, command)


def _quality(rows: Sequence[Row]) -> str:
    """The median regret, with the seeds whose clusters are right where some are not."""
    right = sum(row["NMI"] >= 0.99 for row in rows)
    text = f"{median(row['regret'] for row in rows):.3f}" if rows else "-"
    return text if right == len(rows) else f"{text} ({right} of {len(rows)})"


def throughput() -> str:
    """Images a second, against the textbook loop and the hardware's peak."""
    rows = read("throughput")
    lines = [
        [
            f"{row['data']}, batch {row['batch']}, {row['device']}",
            name,
            f"{found['images a second']:,.0f}",
            f"{found['share of peak']:.0%}" if "share of peak" in found else "",
            _ratio(found["ratio"]),
        ]
        for row in rows
        for name, found in row["variants"].items()
    ]
    titles = ["data, network, device", "loop", "images a second", "share of peak", "of textbook"]
    command = "python benchmarks/throughput.py --case ... --batch ..."
    return table(titles, lines) + "\n" + made_by(rows, command)


def _ratio(ratio: list[float]) -> str:
    low, middle, high = ratio
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def load() -> str:
    """Predicting large tables."""
    rows = read("load")
    ways = ("in memory", "streamed")
    lines = [
        [
            f"{row['rows']:,} x {row['features']}",
            f".{row['kind']}, {row['MB']:,.0f} MB",
            *(f"{row['rows'] / row[way]['seconds']:,.0f}" for way in ways),
            *(f"{row[way]['MiB'] - row['nothing']['MiB']:,.0f}" for way in ways),
            f"{row['nothing']['MiB']:,.0f}",
            "the same" if row["same"] else "DIFFERENT",
        ]
        for row in rows
    ]
    titles = [
        "rows",
        "file",
        *(f"rows a second, {way}" for way in ways),
        *(f"MiB, {way}" for way in ways),
        "MiB before",
        "tables written",
    ]
    return table(titles, lines) + "\n" + made_by(rows, "python benchmarks/load.py")


def memory() -> str:
    """Predicted peaks of memory."""
    rows = read("memory")
    lines = [
        [
            row["case"],
            f"{row['points']:,} x {row['features']:,}",
            f"{row['measured'] / 2**20:,.0f}",
            f"{row['predicted'] / 2**20:,.0f}",
            f"{row['predicted'] / row['measured'] - 1:+.0%}",
            ", ".join(
                f"{name} {size / 2**20:,.0f}"
                for name, size in row["parts"].items()
                if size > row["predicted"] / 20
            ),
        ]
        for row in rows
    ]
    titles = ["training", "data", "measured MiB", "predicted MiB", "off by", "largest parts (MiB)"]
    return table(titles, lines) + "\n" + made_by(rows, "python benchmarks/memory.py")


def stress() -> str:
    """Runs that ended well, by data and over all."""
    rows = read("stress")
    ends = ("finite", "sensible", "better gap", "well")
    lines = []
    for (method, data), found in {
        **groups(rows, "method", "data"),
        **{(method, "all"): part for (method,), part in groups(rows, "method").items()},
    }.items():
        counts = [f"{sum(row[end] for row in found)} of {len(found)}" for end in ends]
        cures = [row["interventions"] for row in found if row.get("interventions")]
        told = "-" if method != "GEDI" else str(sum(map(len, cures)))
        lines.append([method, data, *counts, told])
    lines.sort(key=lambda line: (line[0], line[1] == "all"))
    titles = ["", "data", "finite", "sensible", "better gap", "well", "interventions"]
    return table(titles, lines) + "\n" + made_by(rows, "python benchmarks/stress.py")


def guard_cost() -> str:
    """The last measurement."""
    row = read("guard_cost")[-1]
    ratio = "{1} ({0} to {2})".format(*row["ratio"])
    titles = ["network", "ms an iteration", "with over without", "guard alone, ms", "share"]
    values = [row["network"], row["iteration"], ratio, row["alone"], f"{row['share']:.2%}"]
    return (
        table(titles, [[str(value) for value in values]])
        + "\n"
        + made_by([row], "python benchmarks/stress.py --cost")
    )


def kills() -> str:
    """A line for each kind of training."""
    rows = read("kills")
    titles = ["training", "kills", "of them while a file was written", "trainings", "differences"]
    lines = [
        [
            row["case"],
            str(row["kills"]),
            str(row["within_files"]),
            str(row["trainings"]),
            ", ".join(row["differences"]) or "none",
        ]
        for row in rows
    ]
    return table(titles, lines) + "\n" + made_by(rows, "python benchmarks/kills.py")


def threads() -> str:
    """A line for each data set."""
    rows = read("threads")
    titles = ["data", "iterations", "same bits again, one thread"]
    looks = list(rows[0]["largest difference of weights"])
    titles += [f"weights apart after {look}" for look in looks]
    titles += ["gap, one thread / two", "NMI, one thread / two"]
    lines = [
        [
            row["data"],
            str(row["iterations"]),
            "yes" if row["same bits again"] else "no",
            *(f"{row['largest difference of weights'][look]:.1e}" for look in looks),
            *("{:.4f} / {:.4f}".format(*row[name]) for name in ("gap", "NMI")),
        ]
        for row in rows
    ]
    return table(titles, lines) + "\n" + made_by(rows, "python benchmarks/threads.py")


def fuzz() -> str:
    """What readers made of files that were changed at random."""
    rows = read("fuzz")
    lines = [
        [
            reader,
            f"{sum(row['tried'] for row in found):,}",
            f"{sum(row['refused'] for row in found) / sum(row['tried'] for row in found):.0%}",
            str(len({words for row in found for words in row["crashes"]})),
            f"{max(row['slowest'] for row in found):.2f}",
        ]
        for (reader,), found in groups(rows, "reader").items()
    ]
    titles = ["reader", "inputs", "refused", "crashes left", "slowest (s of a core)"]
    return (
        table(titles, lines)
        + "\n"
        + made_by(rows, "python benchmarks/fuzz.py --seconds 10 --seed 1 --store")
    )


def streaming() -> str:
    """A line for each way and size."""
    rows = read("streaming")
    words = {
        "read": "pyarrow alone, all rows once",
        "stream": "all rows once, mixed, scaled, in batches of 256",
        "train": "training on the stream",
        "train in memory": "training on one shard in memory",
        "datasets": "`datasets`: all rows once, buffer of 10,000, Arrow batches of 256",
    }
    lines = [
        [
            words[way],
            f"{row['gigabytes']:g}" if way not in ("train in memory", "datasets") else "0.2",
            f"{row['rows']:,}",
            f"{row['seconds']:.1f}",
            f"{row['rows'] / row['seconds']:,.0f}",
            f"{row['set-up']:.1f}",
            f"{row['MiB']:,.0f}",
        ]
        for way in words
        for row in sorted(rows, key=lambda row: row["gigabytes"])
        if row["way"] == way
    ]
    titles = ["what", "GB", "rows", "seconds", "rows a second", "set-up (s)", "peak memory (MiB)"]
    return table(titles, lines) + "\n" + made_by(rows, "python benchmarks/streaming.py")


def growth() -> str:
    """A section for each thing that grows: slopes, picture and table."""
    rows = read("growth")
    parts = []
    for axis, name in COUNTED.items():
        found = sorted((row for row in rows if row["axis"] == axis), key=lambda row: row[name])
        if not found:
            continue
        measures = OVER_ITERATIONS if axis == "iterations" else MEASURES
        sizes = [row[name] for row in found]
        told = []
        for measure, words in measures.items():
            values = [row[measure] for row in found]
            told.append(
                f"{words.partition(' (')[0]} {slope(sizes, values):.2f} "
                f"(last step {slope(sizes[-2:], values[-2:]):.2f})"
            )
        fixed = ", ".join(f"{key} = {found[0][key]:,}" for key in ("n", "d", "c") if key != name)
        lines = [
            [f"{row[name]:,}", *(f"{row[measure]:.4g}" for measure in measures)] for row in found
        ]
        parts.append(
            f"### {axis.capitalize()}\n\n![Seconds and memory over {axis}](growth-{axis}.png)\n\n"
            f"*Slopes over {axis} at {fixed}: {', '.join(told)}.*\n\n"
            + table([axis, *measures.values()], lines)
        )
    for row in rows:
        if row["axis"] == "ratio":
            few, many = row["c"]
            parts.append(
                f"In one process, taking turns, an iteration with {many:,} clusters takes "
                f"{row['ratio']:.2f} times as long as with {few}.\n"
            )
    return "\n".join(parts) + "\n" + made_by(rows, "python benchmarks/growth.py")


def processes() -> str:
    """Exchanges by size, and iterations with one and two processes and, by the formula, more."""
    rows = read("processes")
    exchange = [row for row in rows if row["kind"] == "exchange"][-1]
    times = {int(size): value for size, value in exchange["microseconds"].items()}
    titles = ["bytes of an exchange between two processes", *(f"{size:,}" for size in times)]
    text = table(titles, [["µs", *(f"{value:,.0f}" for value in times.values())]])
    alpha, largest = times[min(times)] / 1000, max(times)  # ms
    beta = largest / (times[largest] / 1000 - alpha)  # bytes a ms
    last = {row["network"]: row for row in rows if row["kind"] == "iteration"}
    titles = [
        "network, batch 400",
        "parameters",
        "ms, one process",
        "ms, half the batch",
        "ms, two processes",
        "two over one (range)",
        "small exchanges",
        "their bytes",
        "MiB, one / each of two",
        *(f"speed-up of {n} (formula)" for n in (2, 4, 8, 16)),
    ]
    lines = [
        [
            name,
            f"{row['parameters']:,}",
            f"{row['one']:.1f}",
            f"{row['one, half the batch']:.1f}",
            f"{row['two']:.1f}",
            f"{median(row['ratios']):.2f} ({row['ratios'][0]:.2f} to {row['ratios'][-1]:.2f})",
            f"{row['exchanges']['exchanges']:.0f}",
            f"{row['exchanges']['bytes']:.0f}",
            f"{row['MiB, one']} / {row['MiB each, two']}",
            *(f"{_speed_up(row, n, alpha, beta):.1f}" for n in (2, 4, 8, 16)),
        ]
        for name, row in last.items()
    ]
    told = (
        f"α = {1000 * alpha:.0f} µs, β = {beta / 1e6:.2f} GB a second; load of the machine "
        f"{exchange['load']}, medians of {exchange['rounds']} rounds.\n\n"
    )
    made = made_by([exchange, *last.values()], "python benchmarks/processes.py")
    return text + "\n" + table(titles, lines) + "\n" + told + made


def _speed_up(row: Row, n: int, alpha: float, beta: float) -> float:
    fixed = min(row["one"], max(0.0, 2 * row["one, half the batch"] - row["one"]))
    waiting = row["exchanges"]["exchanges"] * alpha * math.log2(n)
    gradient = 8 * row["parameters"] * (n - 1) / (n * beta)
    return float(row["one"] / (fixed + (row["one"] - fixed) / n + waiting + gradient))


def fill(page: Path, name: str, text: str) -> None:
    """Put text between the two lines of comment for these rows."""
    start, end = f"<!-- rows of {name} -->", f"<!-- end of {name} -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{page}: expected lines {start} and {end}")
    page.write_text(f"{before}{start}\n\n{text}\n{end}{after}", encoding="utf-8")


def main() -> None:
    """Write the pages."""
    sections: dict[str, Callable[[], str]] = {
        "toys": toys,
        "digits": digits,
        "tables": tables,
        "embeddings": embeddings,
        "labels": labels,
        "density": density,
        "normalizer": normalizer,
        "images": images,
        "stabilisers": stabilisers,
        "symbols": symbols,
        "rules": rules,
    }
    parts = [HEAD, *(write() for name, write in sections.items() if read(name))]
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    tables_of_reliability: dict[str, Callable[[], str]] = {
        "stress": stress,
        "guard_cost": guard_cost,
        "kills": kills,
        "threads": threads,
        "load": load,
        "memory": memory,
        "fuzz": fuzz,
    }
    tables_of_performance: dict[str, Callable[[], str]] = {
        "profiles": profiles,
        "profile_sizes": profile_sizes,
        "peer_iterations": peer_iterations,
        "peer_trainings": peer_trainings,
        "textbook": textbook,
        "fewer_steps": fewer_steps,
        "throughput": throughput,
    }
    sources = {"profile_sizes": "profiles", "peer_iterations": "peers", "peer_trainings": "peers"}
    pages: dict[Path, dict[str, Callable[[], str]]] = {
        RELIABILITY: tables_of_reliability,
        PERFORMANCE: tables_of_performance,
        STREAMING: {"streaming": streaming},
        GROWTH: {"growth": growth},
        SCALING: {"processes": processes},
    }
    for page, tables_of_page in pages.items():
        for name, write in tables_of_page.items():
            if read(sources.get(name, name)):
                fill(page, name, write())
    print(f"{PAGE}, {', '.join(map(str, pages))} written")


if __name__ == "__main__":
    main()
