import pytest

from gedi.experiments.markdown import (
    count,
    deviation,
    figure,
    figures,
    grouped,
    listed,
    spread,
    table,
)


@pytest.mark.parametrize(
    ("values", "digits", "expected"),
    [
        ([], 3, "-"),
        ([0.5], 2, "0.50"),
        ([3.0, 1.0, 2.0], 1, "2.0 (1.0 to 3.0)"),
        ([1.0, 2.0], 1, "1.5 (1.0 to 2.0)"),
    ],
)
def test_spread_is_the_median_and_the_range(values, digits, expected):
    assert spread(values, digits) == expected


def test_table_has_a_head_and_a_line_for_each_row():
    assert table(["a", "b"], [["1", "2"], ["3", "4"]]) == (
        "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n"
    )


ROWS = [
    {"data": "moons", "seconds": 90, "ood": {"AUROC": 0.5}},
    {"data": "circles", "seconds": 60},
    {"data": "moons", "seconds": 30},
]


def test_rows_become_lines_by_templates_and_functions():
    columns = {"data": "{data}", "s": "{seconds:,.1f}", "half": lambda row: str(row["seconds"] / 2)}
    assert listed(ROWS[:1], columns).splitlines()[2:] == ["| moons | 90.0 | 45.0 |"]


def test_groups_share_values_and_keep_the_order_of_their_first_rows():
    columns = {"n": count, "AUROC": figure("ood", "AUROC"), "min": figure("seconds", unit=60)}
    assert grouped(ROWS, {"set": "data"}, columns).splitlines() == [
        "| set | n | AUROC | min |",
        "|---|---|---|---|",
        "| moons | 2 | 0.500 | 1.000 (0.500 to 1.500) |",
        "| circles | 1 | - | 1.000 |",
    ]


def test_figures_of_rows_that_lack_them_are_left_out():
    assert figures(ROWS, "ood", "AUROC") == [0.5] and figures(ROWS, "ood", "AUROC", "x") == []


def test_deviation_is_of_several_values():
    assert deviation([], 1) == "-" and deviation([2.0], 1) == "2.0"
    assert deviation([0.0, 1.0], 2) == "0.50 ± 0.71"
    assert deviation([0.0, 0.0, 3.0], 1, centre=min) == "0.0 ± 1.7"
