"""Saved estimators on the Hugging Face Hub; needs the extra `hub`."""

import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from torch import nn

from gedi.errors import GediError
from gedi.methods import Method

__all__ = ["HubMixin"]


class HubMixin:
    """`push_to_hub` and `from_hub`, for anything with `save` and `load`."""

    def push_to_hub(
        self, repo_id: str, *, private: bool | None = None, token: str | None = None
    ) -> str:
        """Upload what `save` writes, and create the repository if it does not exist.

        The points that `partial_fit` has kept stay here.

        Args:
            repo_id: "owner/name".
            private: whether a new repository is private.
            token: an access token; None uses that of `hf auth login`.

        Returns:
            The address of the repository.

        Raises:
            GediError: if huggingface_hub is not installed.
        """
        api = _hub().HfApi(token=token)
        address = api.create_repo(repo_id, private=private, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            self.save(Path(folder) / "model")  # type: ignore[attr-defined]
            api.upload_folder(
                repo_id=repo_id,
                folder_path=Path(folder) / "model",
                ignore_patterns=["rows.safetensors"],
            )
        return str(address)

    @classmethod
    def from_hub(
        cls,
        repo_id: str,
        *,
        encoder: nn.Module | None = None,
        method: Method | None = None,
        revision: str | None = None,
        token: str | None = None,
    ) -> Self:
        """Download what `push_to_hub` uploaded: config.json and tensors only, so no code.

        Args:
            repo_id: "owner/name".
            encoder: see `load`.
            method: see `load`.
            revision: branch, tag or commit; None is the newest.
            token: an access token; None uses that of `hf auth login`.

        Raises:
            GediError: if huggingface_hub is not installed.
            RunError: if the repository does not hold such an estimator.
        """
        folder = _hub().snapshot_download(
            repo_id,
            revision=revision,
            token=token,
            allow_patterns=["config.json", "model.safetensors"],
        )
        estimator: Self = cls.load(folder, encoder=encoder, method=method)  # type: ignore[attr-defined]
        return estimator


def _hub() -> ModuleType | Any:
    try:
        import huggingface_hub  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise GediError(
            "the Hugging Face Hub needs huggingface_hub: pip install 'gedi[hub]'"
        ) from error
    return huggingface_hub
