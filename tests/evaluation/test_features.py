"""The feature network: it learns, follows its generator, and survives its file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits

from gedi.evaluation import features
from gedi.evaluation.features import (
    FeatureNet,
    cached_feature_net,
    load_feature_net,
    save_feature_net,
    train_feature_net,
)

SHAPE = (1, 8, 8)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return torch.from_numpy(x * 15.9375).to(torch.uint8), torch.from_numpy(y)


@pytest.fixture(scope="module")
def net(digits):
    x, y = digits
    return train_feature_net(
        x[:1200], y[:1200], SHAPE, n_epochs=8, batch_size=64, generator=seeded()
    )


def test_it_learns_digits(digits, net):
    x, y = digits
    assert float((net.classify(x[1200:]) == y[1200:]).double().mean()) > 0.93
    assert not net.training and not any(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 48)])
def test_any_images(shape):
    net = FeatureNet(shape, 7, generator=seeded())
    x = torch.randint(256, (3, shape[0] * shape[1] * shape[2]), generator=seeded())
    got = net(x.to(torch.uint8))
    assert got.shape == (3, 128) and net.num_features == 128 and got.dtype == torch.float32
    assert net.logits(x).shape == (3, 7) and net.classify(x).shape == (3,)
    # Of any type, and the values are not what they are by type.
    torch.testing.assert_close(net(x.double()), got)
    assert net.double()(x).dtype == torch.float64


def test_rows_are_channels_first():
    x = torch.arange(3 * 4 * 5).reshape(1, -1)
    wide = FeatureNet((3, 4, 5), 2, generator=seeded())
    seen = []
    wide.trunk.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    wide(x)
    assert seen[0].shape == (1, 3, 4, 5)
    assert float(seen[0][0, 1, 2, 3]) == pytest.approx((1 * 20 + 2 * 5 + 3) / 127.5 - 1)


def test_classes_do_not_depend_on_the_parts(digits, net, monkeypatch):
    whole = net.classify(digits[0])
    monkeypatch.setattr(features, "_PART", 100)
    assert torch.equal(net.classify(digits[0]), whole)


def test_training_follows_the_generator_and_nothing_else(digits):
    x, y = digits[0][:100], digits[1][:100]

    def weights(seed):
        net = train_feature_net(x, y, SHAPE, n_epochs=1, batch_size=32, generator=seeded(seed))
        return torch.cat([p.flatten() for p in net.parameters()])

    before = torch.get_rng_state()
    first = weights(0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    assert torch.equal(weights(0), first)
    assert not torch.equal(weights(1), first)
    torch.set_rng_state(before)


@pytest.mark.parametrize(("n", "batch_size"), [(1, 1), (3, 256), (5, 2)])
def test_few_images(digits, n, batch_size):
    x, y = digits
    net = train_feature_net(
        x[:n], y[:n], SHAPE, n_epochs=1, batch_size=batch_size, generator=seeded()
    )
    assert net.n_classes == n and bool(net(x).isfinite().all())


def test_a_file_holds_all(digits, net, tmp_path):
    path = tmp_path / "net.safetensors"
    save_feature_net(net, path)
    assert [file.name for file in tmp_path.iterdir()] == ["net.safetensors"]
    back = load_feature_net(path)
    assert back.image_shape == SHAPE and back.n_classes == 10
    assert torch.equal(back(digits[0]), net(digits[0]))
    assert not back.training and not any(p.requires_grad for p in back.parameters())


def test_a_save_that_fails_leaves_the_old_file(net, tmp_path, monkeypatch):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"old")

    def broken(file, content):
        with file.open("wb") as stream:
            stream.write(content[: len(content) // 2])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", broken)
    with pytest.raises(OSError, match="disk full"):
        save_feature_net(net, path)
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_training_is_done_once(digits, tmp_path, monkeypatch):
    x, y = digits[0][:64], digits[1][:64]
    path = tmp_path / "net.safetensors"
    options = {"n_epochs": 1, "batch_size": 32}
    first = cached_feature_net(path, x, y, SHAPE, **options, generator=seeded())
    expected = train_feature_net(x, y, SHAPE, **options, generator=seeded())
    assert torch.equal(first(x), expected(x))

    def never(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(features, "train_feature_net", never)
    again = cached_feature_net(path, x, y, SHAPE, generator=seeded(1))
    assert torch.equal(again(x), first(x))
    with pytest.raises(ValueError, match=r"images of shape \(1, 8, 8\), got \(1, 4, 16\)"):
        cached_feature_net(path, x, y, (1, 4, 16), generator=seeded())


def test_files_that_hold_something_else(tmp_path):
    path = tmp_path / "net.safetensors"
    with pytest.raises(ValueError, match="cannot be read as a feature network"):
        load_feature_net(path)
    path.write_bytes(b"not tensors")
    with pytest.raises(ValueError, match="cannot be read as a feature network"):
        load_feature_net(path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="cannot be read as a feature network"):
        load_feature_net(path)
    shape = {"image_shape": "[1, 8, 8]", "n_classes": "10"}
    save_file({"weight": torch.zeros(2)}, path, metadata=shape)
    with pytest.raises(ValueError, match="cannot be read as a feature network"):
        load_feature_net(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(2, 64)}, r"images \(n, 64\) of uint8 .*got \(2, 64\) of torch.float32"),
        ({"x": torch.zeros(2, 9, dtype=torch.uint8)}, r"got \(2, 9\) of torch.uint8"),
        ({"x": torch.zeros(0, 64, dtype=torch.uint8)}, r"got \(0, 64\)"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, r"labels \(2,\), codes from 0, got \(3,\)"),
        ({"labels": torch.zeros(2)}, r"got \(2,\) of torch.float32"),
        ({"labels": torch.tensor([0, -1])}, "codes from 0"),
        ({"n_epochs": 0}, "at least 1 epoch and 1 image per step, got 0 and 256"),
        ({"batch_size": 0}, "got 2 and 0"),
    ],
)
def test_mistakes(change, message):
    right = {
        "x": torch.zeros(2, 64, dtype=torch.uint8),
        "labels": torch.tensor([0, 1]),
        "image_shape": SHAPE,
    }
    with pytest.raises(ValueError, match=message):
        train_feature_net(**{**right, **change}, generator=seeded())
