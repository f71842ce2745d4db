"""What files claim is refused before it costs memory or time."""

import os

import pytest

from gedi.free_memory import Free
from gedi.untrusted import (
    RefusedError,
    check_room,
    check_within,
    json_of,
    limits,
    most_bytes,
    refuse_special,
    yaml_of,
)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path, kind in (("pipe", "a pipe"), ("link", "a device"), (".", "a folder")):
        with pytest.raises(RefusedError, match=kind):
            refuse_special(tmp_path / path)
    refuse_special(write(tmp_path / "a", ""))


def test_links_that_stay_in_the_folder_are_fine(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "a", "")
    (folder / "b").symlink_to("a")
    check_within(folder)
    for target in ("../c", "/etc/passwd", "b/../../c"):
        (folder / "out").symlink_to(target)
        with pytest.raises(RefusedError, match=r"out is a link to .*, outside"):
            check_within(folder)
        (folder / "out").unlink()
    (folder / "loop").symlink_to("loop")
    check_within(folder)


def test_half_of_the_free_memory_is_room_for_one_file(monkeypatch):
    monkeypatch.setattr(limits, "free_on_cpu", lambda: Free(800, "it"))
    assert most_bytes() == 400
    check_room(400, "it")
    with pytest.raises(RefusedError, match=r"^it would take .*, more than the .* GiB"):
        check_room(401, "it")
    monkeypatch.setattr(limits, "free_on_cpu", lambda: None)
    assert most_bytes() == 2**31


def test_the_memory_of_the_machine_is_found():
    assert 2**20 < most_bytes() < 2**50


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("{", "Expecting"),
        ('{"a": ' + "9" * 5000 + "}", "digits"),
    ],
)
def test_json_that_is_refused(tmp_path, text, words):
    with pytest.raises(ValueError, match=words):
        json_of(write(tmp_path / "a.json", text))


def test_json_larger_than_memory(tmp_path, monkeypatch):
    path = write(tmp_path / "a.json", '{"a": 1}')
    assert json_of(path) == {"a": 1}
    monkeypatch.setattr(limits, "most_bytes", lambda: 255)
    with pytest.raises(RefusedError, match="what it may hold"):
        json_of(path)


def laughs(levels, width=10):
    lines = [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width) if i else 'lol'}]" for i in range(levels)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (laughs(12), "more than 100000 values"),
        (laughs(200, width=1), "deep"),
        ("a: &a [*a]", "in itself"),
        ("a: &a [*a, *a]", "in itself"),
        ("[" * 60 + "]" * 60, "nested more than 50"),
        ("[" * 3000, "nested too deeply"),
        ("a: 9" + "9" * 5000, "digits"),
        ("a: 2001-99-99", "month must be in"),
        ("a: !!python/object/apply:os.mkdir [executed]", "could not determine a constructor"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("a: [", "expected the node content"),
        ("a: !!timestamp x", "AttributeError|NoneType"),
        ("a: !!int ''", "invalid literal|index"),
        ("? [a]\n: b", "unhashable"),
        ("#" * 2**18 + "\na: 1", "larger than 256 KiB"),
    ],
)
def test_yaml_that_is_refused(tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words):
        yaml_of(write(tmp_path / "a.yaml", text))
    assert not (tmp_path / "executed").exists()


def test_yaml_of_few_values(tmp_path):
    path = write(tmp_path / "a.yaml", "a: [1, 2]")
    assert yaml_of(path, most_values=5) == {"a": [1, 2]}
    with pytest.raises(RefusedError, match="more than 4 values"):
        yaml_of(path, most_values=4)


def test_yaml_is_read(tmp_path):
    text = "a: &x [1, 2.5, null, true]\nb: {c: *x}\n"
    found = yaml_of(write(tmp_path / "a.yaml", text))
    assert found == {"a": [1, 2.5, None, True], "b": {"c": [1, 2.5, None, True]}}
    assert yaml_of(write(tmp_path / "empty.yaml", "")) is None
