"""Self-contained HTML pages, rendered from templates that escape all content."""

import functools
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gedi.files import beside

__all__ = ["render", "write_page"]


def write_page(path: Path, template: str, content: Mapping[str, object]) -> None:
    """Render a page and replace the file at `path` with it in one step.

    A reader of `path` finds the old page or the new one, never half a page.
    """
    page = render(template, content)
    with beside(path) as partial:
        # File names may hold bytes that are not text; they are shown as escapes.
        partial.write_text(page, encoding="utf-8", errors="backslashreplace")


def render(template: str, content: Mapping[str, object]) -> str:
    """The page of a template, with all content escaped."""
    return _environment().get_template(template).render(content)


@functools.cache  # which keeps the templates that it has compiled
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
