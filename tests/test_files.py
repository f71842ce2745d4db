"""Files are whole or as they were."""

import errno

import pytest

from gedi.files import beside, source_name


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    target = tmp_path / "a.txt"
    with beside(target) as partial:
        partial.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new" and names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_the_file_as_it_was(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(error), beside(target) as partial:
        partial.write_text("half")
        raise error
    assert target.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_errors_of_the_system_name_the_file(tmp_path):
    target = tmp_path / "a.txt"
    with pytest.raises(OSError, match=r"a\.txt"), beside(target):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("data/wine.csv", "wine"),
        ("photographs/", "photographs"),
        ("data/*.csv", "data"),
        ("data/**/2024-*.csv", "data"),
        ("s3://bucket/shards/*.parquet", "shards"),
        ("*.csv", "files"),
    ],
)
def test_data_are_called_by_their_file_or_the_folder_of_a_pattern(source, name):
    assert source_name(source) == name


def test_a_file_whose_name_looks_like_a_pattern_gives_its_name(tmp_path):
    (tmp_path / "rows [1].csv").touch()
    assert source_name(str(tmp_path / "rows [1].csv")) == "rows [1]"
