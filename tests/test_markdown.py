import pytest

from gedi.markdown import spread, table


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
