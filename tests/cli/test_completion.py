"""`gedi completion`: scripts that complete commands and options."""

import subprocess
import sys

import pytest

from gedi.cli import main

ASK = """{script}
COMP_WORDS=(gedi {words}); COMP_CWORD={place}; _shtab_gedi gedi {last} -; echo "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "completed"),
    [(["tr"], "train"), (["train", "--max"], "--max-iter --max-time")],
)
def test_bash_completes(words, completed, capsys):
    pytest.importorskip("shtab", reason="needs the extra completion")
    assert main(["completion", "bash"]) == 0
    script = ASK.format(
        script=capsys.readouterr().out, words=" ".join(words), place=len(words), last=words[-1]
    )
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == completed


def test_what_is_missing_or_unknown(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "zsh"]) == 2
    assert "pip install 'gedi[completion]'" in capsys.readouterr().err
    assert main(["completion", "perl"]) == 2
    assert "'perl'" in capsys.readouterr().err
