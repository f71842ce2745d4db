"""Text from files changes nothing on a terminal."""

import pytest

from gedi.cli import main
from gedi.cli.summaries import print_detection, print_figures
from gedi.printable import printable

ESCAPES = "\x1b]0;title\x07\x1b[2J\x1b[31mred"


@pytest.mark.parametrize("text", ["plain", "größer × 漢字", "a[b] \\ {c}"])
def test_what_is_seen_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (ESCAPES, r"\x1b]0;title\x07\x1b[2J\x1b[31mred"),
        ("a\r\nb\t\x7f\x9b", r"a\r\nb\t\x7f\x9b"),
        ("a\u202etxt.exe", r"a\u202etxt.exe"),
        ("\udcff", r"\udcff"),
    ],
)
def test_what_a_terminal_obeys_is_written_out(text, shown):
    assert printable(text) == shown


def test_messages_move_no_cursor(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name = f"{ESCAPES}\n[bold]".replace("/", "")
    (tmp_path / f"{name}.csv").write_text("a,b\n1,x\n")
    assert main(["train", f"{name}.csv", "--n-clusters", "2"]) == 2
    (tmp_path / "t.csv").write_text(f'a,"{name}"\n1,x\n2,y\n')
    assert main(["train", "t.csv", "--n-clusters", "2"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 2
    assert "\x1b" not in err
    assert r"\x1b[2J\x1b[31mred\n[bold]" in err


def test_tables_show_names_as_they_are(capsys):
    name = f"[red]{ESCAPES}[/red]"
    print_figures(name, {"a": 1.0})
    print_detection(name, {"log density": {name: {"AUROC": 0.5, "AUPR": 0.5, "FPR95": 0.5}}})
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.count("[red]") == 3
