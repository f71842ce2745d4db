"""Clear messages for mistyped commands, options and values, with what may have been meant."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["with_suggestion"]

_LONGEST = 500  # characters of a message, which may repeat a long value


def with_suggestion(message: str, arguments: Iterable[str], options: dict[str, set[str]]) -> str:
    """Reword a message of the parser in one line, and add "did you mean" if a name is close."""
    text = " ".join(message.split()).rstrip(".")
    typed = list(arguments)
    if found := re.search(r"invalid choice: '(.*?)' \(choose from", text):
        name = found[1]
        if name in typed:
            return f"there is no command {name!r}{_hint(name, options)}"
    if found := re.match(r"unrecognized arguments: (\S+)", text):
        known = set().union(*(options[name] for name in typed if name in options))
        name = found[1].partition("=")[0]
        return f"there is no option {_short(name)!r}{_hint(name, known)}"
    if found := re.search(r'Parser key "([\w.]+)": Does not validate', text):
        option = f"--{found[1].replace('_', '-')}"
        kinds = dict.fromkeys(re.findall(r"Expected a (?:<class |typing.Literal\[)'(\w+)'", text))
        value = re.search(r"Given value: (.*)$", text)
        if value is not None and kinds:
            wanted = " or ".join(_KINDS.get(kind, kind) for kind in kinds)
            return f"{option}: expected {wanted}, got {_short(value[1])!r}"
    return _short(text)


_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "list": "a list",
    "NoneType": "null",
}


def _hint(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f": did you mean {close[0]}?" if close else ""


def _short(text: str) -> str:
    """The text, without its middle if it is long."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
