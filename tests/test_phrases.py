import numpy as np
import pytest

from gedi import phrases

SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"), (0.12345, "0.123"), (1e-5, "1e-05"), (-118.26, "-118.3"), (52.125, "52.12"),
        (123456.78, "123,456.8"), (2.5e7, "2.5e+07"), (1797, "1,797"), (np.int64(3), "3"),
        (np.float32(0.5), "0.500"), (float("nan"), "–"), (True, "True"), ("none", "none"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_reading(value, text):
    assert phrases.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0"), (0.0001, "<0.1"), (0.0153, "1.5"), (0.113, "11"), (1.0, "100")],
)
def test_shares_are_written_in_percent(share, text):
    assert phrases.percent(share) == f"{text}{SPACE}%"


def test_long_lists_of_clusters_end_in_a_count():
    assert phrases.listed(np.array([3])) == "cluster 3"
    assert phrases.listed(np.array([1, 4])) == "clusters 1 and 4"
    assert phrases.listed(np.arange(10), limit=2) == "clusters 0, 1 and 8 more"
