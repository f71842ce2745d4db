"""Where the weights of pretrained networks are: local folders, and the Hugging Face hub.

Weights are read from .safetensors files alone, as other kinds may run code when they are loaded.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType

from gedi.errors import GediError
from gedi.printable import reason

__all__ = ["folder_of", "hash_of_files", "quiet", "required"]

_READ = ("*.json", "*.txt", "*.model", "*.safetensors")
_NOT_READ = ("onnx/*", "openvino/*")
_BLOCK = 2**20


def required(module: str, extra: str, purpose: str) -> ModuleType:
    """An optional package, imported.

    Args:
        module: its name.
        extra: the extra that installs it.
        purpose: what needs it, for the message.

    Raises:
        GediError: if it is not installed; the message names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise GediError(
            f"{purpose} need the package {package}, which cannot be imported "
            f"({reason(error)}): pip install 'gedi[{extra}]'"
        ) from error


def folder_of(name: str, *, option: str) -> Path:
    """The folder that holds a network: a local one, or the copy of one on the hub.

    A copy that is already on this machine is used without asking the hub.

    Args:
        name: a path, or the name of a model on the hub.
        option: how users give the name, for messages.

    Raises:
        GediError: if there is no such folder and the hub cannot be reached, or does not know it.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file() and not (path / "modules.json").is_file():
            raise GediError(
                f"{option}: the folder {name} holds no model: expected a config.json, as "
                "`save_pretrained` writes it"
            )
        return path
    hub = required("huggingface_hub", "text", "models on the Hugging Face hub")
    find = {"allow_patterns": list(_READ), "ignore_patterns": list(_NOT_READ)}
    with suppress(Exception):  # it is not here yet, whatever the reason
        return Path(hub.snapshot_download(name, local_files_only=True, **find))
    try:
        return Path(hub.snapshot_download(name, **find))
    except Exception as error:  # of the network and of the hub, of many kinds
        raise GediError(
            f"{option}: {name!r} is no folder on this machine, and cannot be fetched from the "
            f"Hugging Face hub ({reason(_first_cause(error))[:200]}): check the name and the "
            "connection, or copy the model to a folder and give its path"
        ) from error


def _first_cause(error: BaseException) -> BaseException:
    """The error that others followed from, whose message is the plainest."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def hash_of_files(files: Iterable[Path], root: Path | None = None) -> str:
    """A hash of the names and contents of files.

    Args:
        files: the files, in any order.
        root: the folder that their names start from; without it the names do not count.
    """
    found = hashlib.sha256()
    for file in sorted(files):
        if root is not None:
            name = file.relative_to(root).as_posix()
            found.update(f"{name} {file.stat().st_size}\n".encode(errors="surrogateescape"))
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                found.update(block)
    return found.hexdigest()


@contextmanager
def quiet(library: ModuleType) -> Iterator[None]:
    """Keep transformers from showing bars and advice while it loads a network."""
    logging = library.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
