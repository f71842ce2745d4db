"""What a file holds, from its first bytes: for errors about files with the wrong name."""

import codecs
import json
import re

__all__ = ["ADVICE", "content_of", "document_of", "kind_of"]

_BINARY = (
    (b"PK\x03\x04", ".xlsx"),
    (b"PAR1", ".parquet"),
    (b"\x1f\x8b", ".gz"),
    (b"BZh", ".bz2"),
    (b"\x28\xb5\x2f\xfd", ".zst"),
    (b"ARROW1", ".feather"),
    (b"\xff\xff\xff\xff", ".arrow"),
    (b"ORC", ".orc"),
    (b"\x93NUMPY", ".npy"),
)
_AS_TABLE = "save it as .xlsx, .csv or .parquet with the program that wrote it"
_UNREAD = (
    (b"\xd0\xcf\x11\xe0", "a .xls file"),
    (b"SQLite format 3", "a database of SQLite"),
    (b"\x89HDF", "an HDF5 file"),
    (b"%PDF-", "a PDF document"),
)
_DOCUMENTS = (
    (
        r"<(!doctype html|html|head|body)\b",
        "an HTML page, perhaps the message of a site instead of its file: download it again",
    ),
    (r"<(\?xml|!doctype|svg)\b", f"an XML document: {_AS_TABLE}"),
    (r"%pdf-", f"a PDF document: {_AS_TABLE}"),
    (r"\{\\rtf", f"a document of a word processor: {_AS_TABLE}"),
    (
        r"version https://git-lfs",
        "a pointer of Git LFS instead of the file: get it with git lfs pull",
    ),
)
_PICKLE = "pickles are never loaded; save it with DataFrame.to_parquet or numpy.save"

# What to do about files of other kinds, by the ending of the name.
ADVICE = {
    **dict.fromkeys((".xls", ".xlsb", ".xlsm", ".ods", ".numbers"), _AS_TABLE),
    **dict.fromkeys((".pkl", ".pickle", ".joblib", ".pt", ".pth"), _PICKLE),
    **dict.fromkeys((".dta", ".sav", ".sas7bdat", ".rds", ".rdata", ".mat"), _AS_TABLE),
    **dict.fromkeys((".h5", ".hdf5", ".hdf", ".sqlite", ".db", ".avro"), _AS_TABLE),
    **dict.fromkeys(
        ("", ".data", ".dat", ".tab", ".asc", ".psv", ".log"),
        "if it is a table of text, rename it to end in .csv; if it has no line of names, add "
        "--no-header",
    ),
    ".arff": "read it with scipy.io.arff.loadarff, and save it as .csv",
    ".svm": "read it with sklearn.datasets.load_svmlight_file, and save it with "
    "scipy.sparse.save_npz",
    ".xml": _AS_TABLE,
    ".html": _AS_TABLE,
    ".pdf": _AS_TABLE,
}
ADVICE[".libsvm"] = ADVICE[".svmlight"] = ADVICE[".svm"]


def kind_of(start: bytes) -> str | None:
    """The kind of a binary file, as the ending of its name, from its first bytes; or None."""
    return next((kind for mark, kind in _BINARY if start.startswith(mark)), None)


def content_of(start: bytes) -> str | None:
    """What a file seems to be, from its first bytes, in words; None if nothing is known."""
    other = next((what for mark, what in _UNREAD if start.startswith(mark)), None)
    if other is not None:
        return f"{other}: {_AS_TABLE}"
    kind = kind_of(start)
    if kind is not None:
        return f"a {kind} file, whose name must end in {kind}"
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(start)
    except UnicodeDecodeError:
        return None
    if not text.strip() or any(letter < " " and not letter.isspace() for letter in text):
        return None
    return document_of(text) or "text, such as a .csv file, and its name must say so"


def document_of(text: str) -> str | None:
    """What a text seems to be instead of a table, by its first lines; None if nothing is known."""
    text = text.lstrip("\ufeff \t\r\n")
    start = text[:200].lower()
    other = next((what for mark, what in _DOCUMENTS if re.match(mark, start)), None)
    if other is not None:
        return other
    if re.match(r"\[\s*[\[{]|\{\s*\"", text):
        line, _, rest = text.partition("\n")
        kind = ".jsonl" if text.startswith("{") and rest.strip() and _is_json(line) else ".json"
        return f"a {kind} file, whose name must end in {kind}"
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    bare = [line for line in lines if not line.startswith("%")]
    if bare and bare[0].lower().startswith("@relation "):
        return f"a .arff file: {ADVICE['.arff']}"
    whole = lines[:-1] or lines
    if len(whole) > 1 and all(re.fullmatch(r"\S+(\s+\d+:\S+)+\s*", line) for line in whole):
        return f"a file of svmlight: {ADVICE['.svm']}"
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
