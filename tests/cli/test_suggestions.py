"""What is said of options that are wrong."""

import pytest

from gedi.cli import main
from gedi.cli.suggestions import with_suggestion


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected a command, such as: gedi train"),
        (["trian", "a.csv"], "there is no command 'trian': did you mean train?"),
        (["xyz"], "there is no command 'xyz';"),
        (["train", "moons", "--max-itr", "3"], "no option '--max-itr': did you mean --max-iter?"),
        (["train", "moons", "--lern=3"], "there is no option '--lern';"),
        (
            ["train", "moons", "--n-clusters", "three"],
            "--n-clusters: expected a whole number or auto or null, got 'three'",
        ),
    ],
)
def test_what_was_meant_is_told(arguments, words, capsys):
    assert main(arguments) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("gedi: error: ") and words in last


def test_other_messages_are_one_line_and_not_without_end():
    assert with_suggestion("one\n  two.", [], {}) == "one two"
    assert len(with_suggestion("x" * 10_000, [], {})) < 600
