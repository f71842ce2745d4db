"""Texts of files of every kind, in order, with what damaged files are told."""

import json

import numpy as np
import pandas as pd
import pytest

from gedi import DataError
from gedi.data.raw_texts import column_parts
from gedi.data.texts import Texts, open_texts, write_texts

TEXTS = ["plain", 'a "quoted", comma', "two\nlines", "ünïcode 漢字", "007", "NA"]


def read(path, column="body"):
    return [text for part in column_parts(path, column) for text in part]


def test_a_column_of_each_kind_of_table(tmp_path):
    frame = pd.DataFrame({"id": range(6), "body": TEXTS})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    rows = [json.dumps({"id": k, "body": text}) for k, text in enumerate(TEXTS)]
    (tmp_path / "a.jsonl").write_text("\n".join(rows) + "\n")
    for kind in ("csv", "parquet", "jsonl"):
        assert read(tmp_path / f"a.{kind}") == TEXTS, kind


def test_lines_of_a_file_of_texts(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffone\r\n\n  two \nthree".encode())
    assert read(tmp_path / "a.txt", None) == ["one", "two", "three"]


def test_missing_values_are_empty_texts(tmp_path):
    pd.DataFrame({"body": ["a", None, "b"]}).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("id,body\n1,a\n2,\n3,b\n")
    (tmp_path / "a.jsonl").write_text('{"body": "a"}\n{"body": null}\n{"body": "b", "c": 1}\n')
    for kind in ("csv", "parquet", "jsonl"):
        assert read(tmp_path / f"a.{kind}") == ["a", "", "b"], kind


def test_large_files_come_in_parts(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(map(str, range(40_000))))
    parts = list(column_parts(tmp_path / "a.txt", None))
    texts = [text for part in parts for text in part]
    assert len(parts) > 1 and texts == list(map(str, range(40_000)))


@pytest.mark.parametrize(
    ("name", "content", "column", "message"),
    [
        ("a.csv", b"id,body\n1,a\n", "text", r"has no column 'text' of texts \(--text\).*'id', 'b"),
        ("a.csv", b"id,body\n1,a\n", None, "give --text COLUMN"),
        ("a.jsonl", b'{"id": 1}\n', "body", "has no column 'body'"),
        ("a.jsonl", b'{"body": "a"}\nnonsense\n', "body", "line 2 is not JSON"),
        ("a.jsonl", b"[1]\n", "body", "line 1: expected a JSON object"),
        ("a.txt", b"text \xff\xfe", None, "cannot be read as text in UTF-8"),
        ("a.txt", b"text", "body", "has a text on each line, and no column 'body'"),
        ("a.parquet", b"nonsense", "body", "cannot be read as parquet"),
        ("a.docx", b"x", "body", "expected texts in a file of the kinds"),
        ("a.txt", b"", None, "is empty"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, column, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name, column)


def test_texts_are_mapped_from_a_file(tmp_path):
    write_texts(tmp_path / "a.arrow", iter([TEXTS[:4], TEXTS[4:]]))
    texts = open_texts(tmp_path / "a.arrow")
    assert len(texts) == 6 and list(texts) == TEXTS and texts[2] == TEXTS[2] and texts[-1] == "NA"
    assert list(texts[np.array([5, 0])]) == ["NA", "plain"]
    assert list(texts[np.arange(6) % 2 == 0]) == TEXTS[::2] == list(texts[::2])
    assert list(texts.parts(4, 1)) == [TEXTS[1:5], TEXTS[5:]]
    assert list(Texts.of(TEXTS)) == TEXTS
    (tmp_path / "a.arrow").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="cannot be read as texts that were kept"):
        open_texts(tmp_path / "a.arrow")
