"""Names of clusters, merges, undoing them, and their file."""

import json

import numpy as np
import pytest

from gedi.errors import RunError
from gedi.runs.names import FILE, ClusterNames


def test_merged_clusters_have_one_name_and_the_sum_of_their_probabilities():
    names = ClusterNames.fresh(4).rename(1, "  cats \n and dogs").merge(1, 3)
    assert [names.of(k) for k in range(4)] == ["0", "cats and dogs", "2", "cats and dogs"]
    assert names.groups == [0, 1, 2]
    posterior = np.array([[0.1, 0.2, 0.3, 0.4]])
    np.testing.assert_allclose(names.probabilities(posterior), [[0.1, 0.6, 0.3]])
    assert names.merge(2, 3).into == (0, 2, 2, 2)
    assert names.rename(3, "pets").of(1) == "pets"


def test_merges_can_be_undone():
    names = ClusterNames.fresh(4).merge(0, 1).merge(2, 3)
    assert names.separate(1).into == (0, 1, 2, 2)
    assert names.separate(3).separate(0) == ClusterNames.fresh(4)


def test_names_come_back_from_the_run(tmp_path):
    names = ClusterNames.fresh(3).rename(0, "<b>ünüsual</b>").merge(0, 2)
    assert ClusterNames.load(tmp_path, 3) == ClusterNames.fresh(3)
    names.save(tmp_path)
    assert ClusterNames.load(tmp_path, 3) == names
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    "content",
    [
        *("{", "[]", '{"names": ["a"]}', '{"names": 3}'),
        '{"names": ["a", "b"], "into": [1, 0], "given": [true, true]}',
    ],
)
def test_damaged_names_are_refused(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(RunError, match=r"names.json.*remove it"):
        ClusterNames.load(tmp_path, 2)


def test_names_of_another_number_of_clusters_are_refused(tmp_path):
    (tmp_path / FILE).write_text(json.dumps({"names": ["a"], "into": [0], "given": [True]}))
    with pytest.raises(RunError, match="of 2 clusters, got 1"):
        ClusterNames.load(tmp_path, 2)


def test_changes_that_are_impossible_are_refused():
    names = ClusterNames.fresh(3).rename(0, "a")
    for name in ("", "  ", "x" * 101):
        with pytest.raises(ValueError, match="1 to 100 characters"):
            names.rename(1, name)
    with pytest.raises(ValueError, match="merge the two instead"):
        names.rename(1, "a")
    with pytest.raises(ValueError, match="are already merged"):
        names.merge(0, 1).merge(1, 0)
    with pytest.raises(ValueError, match="expected 2 clusters"):
        ClusterNames(("a", "b"), (1, 0), (True, True))
