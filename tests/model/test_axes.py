"""An encoder that sees points along the principal axes of the data."""

from dataclasses import replace

import numpy as np
import torch
from torch import Generator

from gedi.data.dataset import Dataset
from gedi.model.encoders import MLP, OnAxes
from gedi.settings import EncoderSettings, Settings
from gedi.training.session import start
from gedi.training.starts import principal_axes
from gedi.training.storage import load_trained, save_trained

NETWORK = Settings(n_clusters=3, max_iter=10, device="cpu", encoder=EncoderSettings("mlp"))


def test_what_is_orthogonal_to_the_axes_is_not_seen():
    x = torch.randn(200, 6, generator=Generator().manual_seed(0)) * torch.tensor(
        [5.0, 3.0, 0.1, 0.1, 0.1, 0.1]
    )
    found = principal_axes(x, 2, seed=0)
    along = (x - found.centre) @ found.axes
    torch.testing.assert_close(found.axes.T @ found.axes, torch.eye(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(along.square().mean().sqrt(), found.scale, rtol=0.01, atol=0)
    encoder = OnAxes(6, 2, MLP(2, [8], generator=Generator().manual_seed(0)))
    encoder.place(*found)
    drawing = Generator().manual_seed(1)
    basis = torch.cat([found.axes, torch.randn(6, 4, generator=drawing)], 1)
    off = torch.linalg.qr(basis).Q[:, 2:]
    moved = x + torch.randn(200, 4, generator=drawing) @ off.T
    torch.testing.assert_close(encoder(moved), encoder(x), atol=1e-4, rtol=0)
    assert not torch.allclose(encoder(x + found.axes[:, 0]), encoder(x), atol=1e-2)


def test_wide_tables_of_few_rows_are_seen_along_their_axes(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = (rng.normal(size=(90, 120)) + 4 * rng.normal(size=(3, 120))[y]).astype(np.float32)
    session = start(Dataset("wide", x), NETWORK)
    assert session.settings.encoder.components == 45
    assert session.state.model.encoder.axes.shape == (120, 45)
    fit = session.run()
    save_trained(fit.trained, tmp_path / "model.safetensors")
    back = load_trained(tmp_path / "model.safetensors", fit.settings, (120,))
    np.testing.assert_array_equal(back.predict(x).clusters, fit.trained.predict(x).clusters)
    whole = replace(NETWORK, encoder=EncoderSettings("mlp", components=0))
    assert not hasattr(start(Dataset("wide", x), whole).state.model.encoder, "axes")
