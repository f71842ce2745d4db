from dataclasses import asdict

import pytest

from gedi.errors import SettingsError
from gedi.experiments.comparisons import (
    METHODS,
    PRESETS,
    Cell,
    cells,
    comparison_table,
    settings_of,
)
from gedi.settings import check, method_name


def cell(method="GEDI", data="mnist", seed=0, budget="updates", preset="cpu"):
    return Cell(method, data, seed, budget, preset)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("method", METHODS)
def test_settings_of_every_cell_are_valid_and_of_its_method(method, preset):
    for data in (*PRESETS[preset].data, "moons"):
        settings = settings_of(cell(method, data, preset=preset), 1000, 10, 10.0, {})
        check(settings)
        assert method_name(settings) == method


def test_methods_share_all_other_settings():
    trees = [asdict(settings_of(cell(method), 1000, 10, 10.0, {})) for method in METHODS]
    for tree in trees:
        for name in ("method", "weights", "restarts", "max_iter", "gen_slowdown"):
            tree.pop(name)
    assert all(tree == trees[0] for tree in trees)


@pytest.mark.parametrize(
    ("data", "n_points", "expected"),
    [
        ("svhn", 73_257, 20 * 73_257 / 64),
        ("cifar10", 50_000, 156_250),
        ("a/cifar100", 50_000, 156_250),
    ],
)
def test_paper_preset_counts_epochs(data, n_points, expected):
    settings = settings_of(cell(data=data, preset="paper"), n_points, 10, 10.0, {})
    assert expected <= settings.max_iter < expected + 1


def test_methods_train_on_equally_many_batches_over_all_restarts():
    for method in METHODS:
        settings = settings_of(cell(method), 1000, 10, 10.0, {})
        n, chosen_at = settings.restarts.n or 1, settings.restarts.iterations or 0
        assert n * chosen_at + settings.max_iter - chosen_at == PRESETS["cpu"].updates
        assert (n > 1) == (method in ("GEDI", "GEDI no gen"))


def test_paper_preset_has_what_the_paper_fixes():
    settings = settings_of(cell(data="cifar10", preset="paper"), 50_000, 10, 10.0, {})
    sampler = settings.sampler
    assert (settings.learning_rate, settings.batch_size) == (1e-4, 64)
    assert (sampler.n_steps, sampler.buffer_size, sampler.reinit) == (20, 10_000, 0.05)
    assert (sampler.noise, sampler.metropolis, sampler.every) == (0.01, False, 1)


def test_equal_minutes_end_by_time_alone():
    settings = settings_of(cell(budget="minutes"), 1000, 10, 2.5, {})
    assert settings.max_time == 150
    assert settings.max_iter > 10**8


def test_changes_override_the_preset_but_not_the_method():
    changes = {"max_iter": 7, "weights": {"gen": 0.5, "inv": 2.0}}
    settings = settings_of(cell("GEDI no gen"), 1000, 10, 10.0, changes)
    assert (settings.max_iter, settings.weights.gen, settings.weights.inv) == (7, 0.0, 2.0)


def test_cells_give_every_method_a_seed_before_the_next():
    found = cells("cpu", ["a.parquet"], ["GEDI", "JEM"], 2, "updates")
    assert [(each.method, each.seed) for each in found] == [
        *(("GEDI", 0), ("JEM", 0)),
        *(("GEDI", 1), ("JEM", 1)),
    ]
    assert found[0].name == "a-cpu-updates-gedi-0"
    assert len({each.name for each in found}) == 4


def test_cells_refuse_an_unknown_method():
    with pytest.raises(SettingsError, match=r"expected some of GEDI, .*got 'DEC'"):
        cells("cpu", ["mnist"], ["DEC"], 1, "updates")


def test_clustering_table_has_median_and_range_over_seeds():
    found = [
        (
            cell(seed=seed),
            {"clustering": {"NMI": nmi, "ARI": 0.5, "accuracy": 0.25}, "seconds": 90},
        )
        for seed, nmi in enumerate((0.9, 0.7, 0.8))
    ]
    head, _, line = comparison_table("clustering", found).splitlines()
    assert head.startswith("| data | method | budget | seeds | NMI | ARI | accuracy |")
    parts = [part.strip() for part in line.strip("|").split("|")]
    assert parts[:6] == [
        "mnist",
        "GEDI",
        "equal updates",
        "3",
        "0.800 (0.700 to 0.900)",
        "0.500 (0.500 to 0.500)",
    ]
    assert parts[-1] == "1.5 (1.5 to 1.5)"


def test_toy_table_has_mean_and_deviation():
    found = [
        (cell(data="moons", seed=seed), {"toy": {"NMI": nmi}}) for seed, nmi in enumerate((0, 1))
    ]
    assert "| 0.500 ± 0.707 |" in comparison_table("toy", found)


def test_outlier_table_has_a_line_for_each_score_and_method():
    ood = {
        score: {name: {"AUROC": 0.25, "AUPR": 0.5, "FPR95": 0.75} for name in ("svhn", "noise")}
        for score in ("log density", "confidence")
    }
    found = [(cell(), {"ood": ood}), (cell("JEM"), {"ood": ood})]
    text = comparison_table("ood", found)
    assert [part.split("\n")[0] for part in text.split("\n\n")][::2] == ["AUROC", "AUPR", "FPR95"]
    lines = [line for line in text.splitlines() if line.startswith("| mnist")]
    assert len(lines) == 3 * 2 * 2
    assert lines[0] == "| mnist | GEDI | equal updates | log density | 0.250 | 0.250 |"
    assert "| data | method | budget | score | svhn | noise |" in text


def test_missing_figures_are_dashes():
    line = comparison_table("generation", [(cell("SwAV"), {"seconds": 60})]).splitlines()[-1]
    assert line == "| mnist | SwAV | equal updates | 1 | - | - | - | - | 1.0 |"
