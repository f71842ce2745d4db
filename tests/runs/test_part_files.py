"""Files made in parts."""

import pytest

from gedi.runs.part_files import PartFiles


def join(parts, whole):
    whole.write_text("".join(part.read_text() for part in parts))


@pytest.fixture
def parts(tmp_path):
    return PartFiles(tmp_path / "out.csv")


def add(parts, text):
    parts.add(len(text), lambda path: path.write_text(text))


def test_parts_are_joined_in_order_and_thrown_away(parts):
    assert parts.begin("key") == 0
    for text in ("one ", "two ", "three"):
        add(parts, text)
    assert parts.n_rows == 13 and not parts.target.exists()
    parts.finish(join)
    assert parts.target.read_text() == "one two three"
    assert [path.name for path in parts.target.parent.iterdir()] == ["out.csv"]


def test_parts_are_kept_for_the_same_key_alone(parts):
    parts.begin("key")
    add(parts, "one ")
    assert PartFiles(parts.target).begin("key") == 1
    add(parts, "two")
    assert parts.begin("other key") == 0
    assert parts.n_rows == 0


def test_a_part_that_fails_is_not_there(parts):
    parts.begin("key")

    def fail(path):
        path.write_text("half")
        raise OSError

    with pytest.raises(OSError):
        parts.add(1, fail)
    assert parts.begin("key") == 0


def test_a_join_that_fails_leaves_the_old_file(parts):
    parts.target.write_text("old")
    parts.begin("key")
    add(parts, "one")

    def fail(paths, whole):
        whole.write_text("half")
        raise OSError

    with pytest.raises(OSError):
        parts.finish(fail)
    assert parts.target.read_text() == "old" and parts.begin("key") == 1
