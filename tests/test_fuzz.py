"""The changes of the fuzzer get past the checks that a file has of itself."""

import io
import json
import random
import zipfile

import numpy as np
import pytest
from PIL import Image

import fuzz
from small_images import colour, encoded


def different(change, content, n=40):
    """So many changed files, at least half of which are no longer as they were."""
    found = [change(content, random.Random(i)) for i in range(n)]
    assert sum(other != content for other in found) > n / 2
    assert found == [change(content, random.Random(i)) for i in range(n)]
    return found


def test_changes_are_many_and_come_again():
    found = different(lambda content, rng: fuzz.changed(content, [b"xyz"], rng), b"a: 1, b: 22")
    assert len(set(found)) > 20


def test_archives_stay_whole():
    file = io.BytesIO()
    np.savez(file, x=np.eye(3), y=np.arange(3))
    for content in different(fuzz.in_archive, file.getvalue()):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            assert set(archive.namelist()) == {"x.npy", "y.npy"}


def test_chunks_keep_their_checksums():
    good = 0
    for content in different(fuzz.in_chunk, encoded(colour())):
        try:
            Image.open(io.BytesIO(content)).load()
            good += 1
        except SyntaxError as error:  # of a broken chunk, and of a wrong checksum
            assert "checksum" not in str(error)
        except (OSError, ValueError, Image.DecompressionBombError):
            pass
    assert good > 4


def test_headers_keep_their_length():
    header = b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    content = len(header).to_bytes(8, "little") + header + b"1234"
    for other in different(fuzz.in_header, content):
        assert other.endswith(b"1234")
        assert int.from_bytes(other[:8], "little") == len(other) - 12


def test_trees_stay_trees():
    tree = json.dumps({"a": [1, 2], "b": {"c": "x"}, "d": None}).encode()
    for other in different(fuzz.in_tree, tree):
        assert isinstance(json.loads(other), dict)


def test_a_crash_a_hang_and_an_end_are_told(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuzz, "SECONDS", 0.05)
    monkeypatch.setattr(fuzz.resource, "setrlimit", lambda *limits: None)

    def read():
        n = len(list(tmp_path.glob("tried*")))
        (tmp_path / f"tried{n}").touch()
        if n == 2:
            raise KeyError("x")
        while n == 3:
            pass

    reader = fuzz.Reader("a", [b"abc"], read)
    monkeypatch.setattr(fuzz, "readers", lambda of_models: {"npy": reader})
    fuzz.work("npy", 0.3, 0, 0)
    lines = capsys.readouterr().out.splitlines()
    crashes = [json.loads(line[6:]) for line in lines if line.startswith("crash ")]
    assert [number for number, _ in crashes] == [2, 3]
    assert crashes[0][1].startswith("KeyError in ")
    assert crashes[1][1].startswith("HangError in ")
    assert lines[-1].startswith("end ")


@pytest.mark.parametrize("code", ["import os; os.abort()", "import time; time.sleep(60)"])
def test_a_process_that_ends_is_a_crash(code, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuzz, "WATCHED", 0.5)
    worker = tmp_path / "worker.py"
    worker.write_text(f"print('ready'); print('try 7', flush=True); {code}")
    monkeypatch.setattr(fuzz, "__file__", str(worker))
    row = fuzz.fuzz("npy", 0.5, 0)
    assert row["crashes"] == ["the process ended, or did not answer, at input 7"]
