"""Texts of files of every kind, in order, with what damaged files are told."""

import json

import numpy as np
import pandas as pd
import pytest

from gedi import DataError
from gedi.data.raw_texts import column_parts, holds_lines, holds_texts, line_parts
from gedi.data.tables import TableOptions
from gedi.data.texts import Texts, open_texts, write_texts

TEXTS = ["plain", 'a "quoted", comma', "two\nlines", "ünïcode 漢字", "007", "NA"]


def read(path, column="body", **options):
    given = TableOptions(**options)
    parts = line_parts([path], given.encoding)
    if column is not None:
        parts = column_parts([path], column, given)
    return [text for part in parts for text in part]


def test_a_column_of_each_kind_of_table(tmp_path):
    frame = pd.DataFrame({"id": range(6), "body": TEXTS})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    rows = [json.dumps({"id": k, "body": text}) for k, text in enumerate(TEXTS)]
    (tmp_path / "a.jsonl").write_text("\n".join(rows) + "\n")
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    frame.to_csv(tmp_path / "a.csv.gz", index=False)
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    for kind in ("csv", "parquet", "jsonl", "tsv", "csv.gz", "xlsx"):
        assert read(tmp_path / f"a.{kind}") == TEXTS, kind


def test_how_tables_of_text_are_read(tmp_path):
    (tmp_path / "a.csv").write_text("1;größer\n2;kleiner\nsum;2\n", encoding="cp850")
    options = {"encoding": "cp850", "no_header": True, "skip_footer": 1}
    assert read(tmp_path / "a.csv", "x1", **options) == ["größer", "kleiner"]


def test_files_of_the_same_columns_follow_each_other(tmp_path):
    (tmp_path / "a.csv").write_text("id,body\n1,one\n")
    (tmp_path / "b.csv").write_text("body,id\ntwo,2\n")
    parts = column_parts([tmp_path / "a.csv", tmp_path / "b.csv"], "body")
    assert list(parts) == [["one"], ["two"]]


def test_lines_of_a_file_of_texts(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffone\r\n\n  two \nthree".encode())
    assert read(tmp_path / "a.txt", None) == ["one", "two", "three"]
    (tmp_path / "a.txt").write_bytes("größer\nkleiner".encode("cp1252"))
    assert read(tmp_path / "a.txt", None) == ["größer", "kleiner"]


@pytest.mark.parametrize(
    ("content", "are_texts"),
    [
        ("where is my card\nI lost it, sorry\nwhat, now, and why\nplease help me\n", True),
        ("how do I pay\nhow do I go\nhow do I sell\n", True),
        ("a,b\n1,2\n3,4\n", False),
        ("a b\n1 2\n3 4\n", False),
        ("5\n6\n8\n", False),
        ("", False),
    ],
)
def test_lines_of_texts_are_told_from_tables(tmp_path, content, are_texts):
    file = tmp_path / "a.txt"
    file.write_text(content)
    assert holds_texts(str(file), None) == are_texts
    assert holds_texts(str(file), None, features="auto") and holds_texts(str(file), "a")


def test_lines_of_texts_are_told_from_tables_with_a_column(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("a,body\n1,one\n2,two\n")
    assert not holds_lines(str(file), "body") and holds_lines(str(file), "text")
    file.write_text("1,2\n3,4\n")
    assert holds_lines(str(file), "body")
    file.write_text("how do I pay\nwhat, now, and why\n")
    assert holds_lines(str(file), "body")
    (tmp_path / "a.csv").write_text("how do I pay\n")
    assert not holds_lines(str(tmp_path / "a.csv"), "body")


def test_missing_values_are_empty_texts(tmp_path):
    pd.DataFrame({"body": ["a", None, "b"]}).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("id,body\n1,a\n2,\n3,b\n")
    (tmp_path / "a.jsonl").write_text('{"body": "a"}\n{"body": null}\n{"body": "b", "c": 1}\n')
    for kind in ("csv", "parquet", "jsonl"):
        assert read(tmp_path / f"a.{kind}") == ["a", "", "b"], kind


def test_large_files_come_in_parts(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(map(str, range(40_000))))
    parts = list(line_parts([tmp_path / "a.txt"]))
    texts = [text for part in parts for text in part]
    assert len(parts) > 1 and texts == list(map(str, range(40_000)))


@pytest.mark.parametrize(
    ("name", "content", "column", "message"),
    [
        ("a.csv", b"id,body\n1,a\n", "text", r"has no column 'text' of texts \(--text\).*'id', 'b"),
        ("a.jsonl", b'{"id": 1}\n', "body", "has no column 'body'"),
        ("a.jsonl", b'{"body": "a"}\nnonsense\n', "body", "cannot be read as jsonl"),
        ("a.jsonl", b"[1]\n", "body", "expected records"),
        ("a.parquet", b"nonsense", "body", "not a .parquet file: it seems to be text"),
        ("a.docx", b"x", "body", "expected a table"),
        ("a.txt", b"", None, "is empty"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, column, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name, column)


def test_lines_in_another_encoding_than_given(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"text \xff\xfe")
    with pytest.raises(DataError, match=r"cannot be read as text in utf-8"):
        read(tmp_path / "a.txt", None, encoding="utf-8")


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
