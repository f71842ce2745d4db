"""Text of unknown origin for a terminal, which obeys some characters instead of showing them."""

__all__ = ["printable", "reason"]


def printable(text: str) -> str:
    r"""The text in one line, with escapes such as \x1b for all that is not to be seen.

    So names from a file move no cursor, change no colour or title, and hide or turn round no text.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def reason(error: BaseException) -> str:
    """The message of an error in one line, without a full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
