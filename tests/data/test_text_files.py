"""Text files of tables as people save them: each gives the same rows, or a clear refusal."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gedi.data.rows import open_rows
from gedi.data.source import Source, load
from gedi.data.text_files import _any_rows, form_of, text_rows
from gedi.errors import DataError
from small_files import write

ROWS = [[1, 2.5], [3, 4]]


def same(name, rows=ROWS, names=("a", "b"), **options):
    """Whether the file is read so at once and in blocks."""
    data = load(name, **options)
    np.testing.assert_array_equal(data.x, rows)
    assert data.feature_names == tuple(names)
    text = data.columns and open_rows(name, data.columns, _text(options))
    found = np.concatenate([block.rows for block in text.blocks()])
    np.testing.assert_array_equal(found, rows)
    return data


def _text(options):
    return Source("x", **options).table_options


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "a,b\n1,2.5\n3,4\n"),
        ("a.csv", "a,b\r\n1,2.5\r\n3,4\r\n"),
        ("a.csv", "a;b\n1;2,5\n3;4\n"),
        ("a.csv", "a;b\n1;2.5\n3;4\n"),
        ("a.tsv", "a\tb\n1\t2.5\n3\t4\n"),
        ("a.txt", "a|b\n1|2.5\n3|4\n"),
        ("a.txt", "a b\n1 2.5\n3 4\n"),
        ("a.txt", "  a    b\n  1  2.5\n  3    4\n"),
        ("a.csv", "sep=;\na;b\n1;2,5\n3;4\n"),
        ("a.csv", "sep=|\r\na|b\r\n1|2.5\r\n3|4\r\n"),
        ("a.csv", "# made on Monday\n#\na,b\n1,2.5\n# break\n3,4\n"),
        ("a.csv", "#a,b\n1,2.5\n3,4\n"),
        ("a.csv", "a,b\n1,2.5\n3,4\n\n\n  \n"),
        ("a.csv", "a,b\n1,2.5\n3,4\n,\n,\n"),
        ("a.csv", "\n\na,b\n1,2.5\n3,4"),
        ("a.csv", '"a","b"\n"1","2.5"\n"3","4"\n'),
    ],
)
def test_ways_to_lay_out_a_table(name, text):
    assert same(write(name, text)).notes == ()


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Sales of 2020\n\na,b,c\n1,2.5,6\n3,4,7\n", "Sales of 2020"),
        ("Sales, of 2020,\n,,\na,b,c\n1,2.5,6\n3,4,7\n", "Sales of 2020"),
        ('"Sales, of 2020"\na,b,c\n1,2.5,6\n3,4,7\n', "Sales, of 2020"),
    ],
)
def test_a_title_above_the_header_is_left_out_and_said(text, title):
    data = same(write("a.csv", text), [[1, 2.5, 6], [3, 4, 7]], ("a", "b", "c"))
    assert data.notes == (f"a line above the table was left out: {title!r}",)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", ()),
        ("utf-8-sig", ()),
        ("utf-16", ("read as UTF-16",)),
        ("utf-16-le", ("read as UTF-16",)),
        ("utf-16-be", ("read as UTF-16",)),
        ("utf-32", ("read as UTF-32",)),
        (
            "latin-1",
            ("read as Windows-1252; if letters look wrong, give the encoding with --encoding",),
        ),
        (
            "cp1252",
            ("read as Windows-1252; if letters look wrong, give the encoding with --encoding",),
        ),
    ],
)
def test_encodings_are_found_and_said(encoding, said):
    Path("a.csv").write_bytes("größe,b\n1,2.5\n3,4\n".encode(encoding))
    assert same("a.csv", names=("größe", "b")).notes == said


def test_an_encoding_is_given():
    Path("a.csv").write_bytes("値,b\n1,2.5\n3,4\n".encode("shift_jis"))
    same("a.csv", names=("値", "b"), encoding="shift_jis")


def test_encodings_that_are_not_found_are_asked_for():
    Path("a.csv").write_bytes("大阪,b\n1,2.5\n3,4\n".encode("shift_jis"))
    with pytest.raises(DataError, match="neither UTF-8 nor Windows-1252: give it with --encoding"):
        load("a.csv")


def test_rows_that_repeat_the_names_are_refused():
    for text in ("a,b\n1,2\n3,4\n", "a,b\nx,y\nz,y\n", "a,b\nx,1\ny,2\n"):
        Path("a.csv").write_text(text * 2)
        with pytest.raises(DataError, match="row 2 repeats the names of the columns: remove it"):
            load("a.csv")
    Path("a.csv").write_text("yes\n" + "yes\nno\n" * 10)
    assert load("a.csv").x.ravel().tolist() == [1, 0] * 10


@pytest.mark.parametrize("first", ["0.5,42,x", "1,2,y", "0.5,x,y"])
def test_a_first_line_of_values_is_refused(first):
    Path("a.csv").write_text(first + "\n" + "1,x,x\n2,3,y\n" * 5)
    with pytest.raises(DataError, match=f"first line .{first.replace(',', ', ')}. seems to hold"):
        load("a.csv")


def test_years_may_be_names():
    Path("a.csv").write_text("id,2019,2020\n" + "r,1,2\ns,3,4\n" * 5)
    assert load("a.csv").feature_names == ("id=s", "2019", "2020")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1,2,3,4", "line 4 has 4 fields, the header 3: remove separators .* or put values that"),
        ('1,"2', 'quote " that begins in line 4 has no end'),
    ],
)
def test_damaged_lines_are_named(line, words):
    Path("a.csv").write_text(f'title\n"a",b,c\n1,2,3\n{line}\n3,4,5\n')
    with pytest.raises(DataError, match=words):
        load("a.csv")


def test_quoted_newlines_and_separators():
    text = 'a,"b, in\nmetres",note\n1,2.5,"x, y\nz"\n3,4,"x, y\nz"\n5,6,w\n'
    names = ("a", "b, in\nmetres", "note=w")
    same(write("a.csv", text), [[1, 2.5, 0], [3, 4, 0], [5, 6, 1]], names)


@pytest.mark.parametrize("end", [",", ",,"])
def test_separators_at_the_end_of_lines(end):
    same(write("a.csv", f"a,b{end}\n1,2.5{end}\n3,4{end}\n"))


def test_separators_at_the_end_of_rows_alone():
    same(write("a.csv", "a,b\n1,2.5,\n3,4,\n"))


def test_row_names_without_a_name():
    same(write("a.csv", "a,b\nMazda,1,2.5\nFiat,3,4\n" + "".join(f"c{i},3,4\n" for i in range(20))),
         ROWS + [[3, 4]] * 20)  # fmt: skip
    with pytest.raises(DataError, match=r"more fields than the header, 3 and 2 \('a, b'\)"):
        load(write("a.csv", "a,b\n1,2,3\n1,5,6\n"))


def test_values_that_start_like_comments():
    data = load(write("a.csv", "colour,n\n#ff0000,1\n#00ff00,2\n# two, more, words\n#ff0000,3\n"))
    assert data.feature_names == ("colour=#00ff00", "n")
    np.testing.assert_array_equal(data.x, [[0, 1], [1, 2], [0, 3]])


def test_no_header():
    name = write("a.csv", "1,2.5\n3,4\n")
    with pytest.raises(DataError, match=r"the first line is numbers.*add --no-header"):
        load(name)
    same(name, names=("x0", "x1"), no_header=True)


def test_one_column():
    same(write("a.csv", "a\n1\n2\n4\n"), [[1], [2], [4]], ("a",))
    same(write("a.txt", "5\n6\n8\n"), [[5], [6], [8]], ("x0",), no_header=True)


def test_lines_of_totals():
    for text in ("kind,v\nx,1\ny,2\nTotal,3\n", "v,kind\n1,x\n2,y\n3,Grand total:\n"):
        name = write("a.csv", text)
        with pytest.raises(DataError, match=r"row 2, the last, .* totals .*skip-footer 1"):
            load(name)
        assert len(load(name, skip_footer=1).x) == 2
    same(write("a.csv", "a,b\n1,2.5\n3,4\n4,6.5\nsource: us,\n"), skip_footer=2)
    assert len(load(write("a.csv", "kind,v\nTotal,1\ny,2\nTotal,3\n")).x) == 3


def test_columns_of_the_same_name_are_numbered():
    data = load(write("a.csv", "a,a,b\n1,2,3\n4,5,6\n"))
    assert data.feature_names == ("a", "a.1", "b")
    assert data.notes == ("columns of the same name are numbered: 'a'",)


def test_thousands_that_begin_late_in_a_long_file():
    lines = [f"{i % 900 + 100};x{i % 3}" for i in range(200_000)]
    name = write("a.csv", "\n".join(["a;kind", *lines, "1.357;x0"]))
    with pytest.raises(DataError, match=r"'1\.357' in row 200000 may be 1357 or"):
        load(name)
    assert load(name, decimal=",").x[-1, 0] == 1357
    trained = load(write("b.csv", "a;kind\n100;x0\n200;x1\n300;x2\n"))
    with pytest.raises(DataError, match=r"'1\.357' in row 200000 may be 1357 or"):
        list(open_rows(name, trained.columns).blocks())


def test_missing_values_are_counted_by_column():
    data = load(write("a.csv", "a,b\n1,n/a\n,2\n-,#DIV/0!\n4,NULL\n7,NaN\n"))
    np.testing.assert_array_equal(data.x[:, [0, 2]], [[1, 2], [4, 2], [4, 2], [4, 2], [7, 2]])
    assert data.reading == (
        "column a: number, 2 features (2 missing, filled with the median 4)",
        "column b: number, 2 features (4 missing, filled with the median 2)",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read():
    Path(write("a.csv", "a\n1\n")).chmod(0)
    with pytest.raises(DataError, match="you may not read it"):
        load("a.csv")


@pytest.mark.parametrize(
    "content", [b"a,b\n1,\x002\n", b"\x89PNG\r\n\x1a\n\x00\x00", b"a\x01,b\n1,2\n"]
)
def test_what_is_no_text(content):
    Path("a.csv").write_bytes(content)
    with pytest.raises(DataError, match="it is not text"):
        load("a.csv")


@pytest.mark.parametrize("rows", [None, 1, 3, 1000])
@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,4\n",
        "a,b\r\n1,2\r\n3,4",
        "a;b\n1;2\n\n3;4\n\n\n",
        "# made today\na\tb\n1\t2\n3\t\n",
        "a,b\n1,\n,4\n,\n",
        "a,b\n1,2\n3\n5,6\n",  # a short row
        "a,b\n1,2\n3,\u00e9\n",
        "a\n1\n\n3\n",
        "a,b\n" + "1,2\n" * 999 + "3\n" + "4,5\n" * 9,
        "a,b\r1,2\r3,4\r",
    ],
)
def test_simple_files_are_read_as_any_others(tmp_path, content, rows):
    file = tmp_path / "t.csv"
    file.write_bytes(content.encode())
    form = form_of(file, file)
    found = pd.concat([frame for frame, _ in text_rows(file, form, rows)], ignore_index=True)
    expected = pd.concat([part for part, _ in _any_rows(file, form, rows)], ignore_index=True)
    pd.testing.assert_frame_equal(found, expected)
    if rows is not None and len(found) > rows:
        sizes = [len(frame) for frame, _ in text_rows(file, form, rows)]
        assert max(sizes) <= rows


def test_a_row_that_is_too_long_is_an_error_in_simple_files_too(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("a,b\n" + "1,2\n" * 50 + "1,2,3\n")
    with pytest.raises(ValueError, match=r"fields"):
        list(text_rows(file, form_of(file, file), None))
