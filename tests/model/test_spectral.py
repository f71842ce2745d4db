"""Symmetric matrices given by their leading eigenvectors."""

import math

import pytest
import torch

from gedi.model.spectral import SpectralMatrix


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def positive(d, *, leading=None, rest=0.3):
    """A positive definite matrix; beyond `leading` eigenvectors all eigenvalues are `rest`."""
    raw = torch.randn(d, d, dtype=torch.float64, generator=seeded(d))
    vectors = torch.linalg.qr(raw).Q
    values = torch.full((d,), rest, dtype=torch.float64)
    values[: leading or d] = torch.linspace(5, 1, leading or d, dtype=torch.float64)
    return vectors * values @ vectors.T


# Whole, and with leading eigenvectors only, which lose nothing where all other values are one.
MATRICES = {"whole": positive(5), "leading": positive(300, leading=60)}


@pytest.mark.parametrize("name", MATRICES)
def test_equals_the_matrix(name):
    matrix = MATRICES[name]
    spectral = SpectralMatrix.of(matrix)
    assert spectral.is_whole == (name == "whole")
    x = torch.randn(2, 4, len(matrix), dtype=torch.float64, generator=seeded(1))
    precision = 1e-6 if name == "whole" else 2e-4
    torch.testing.assert_close(spectral(x), x @ matrix, rtol=precision, atol=precision)
    quadratic = torch.einsum("...i,ij,...j->...", x, matrix, x)
    torch.testing.assert_close(spectral.quadratic(x), quadratic, rtol=precision, atol=precision)
    assert spectral.log_det == pytest.approx(float(torch.logdet(matrix)), abs=1e-4)


@pytest.mark.parametrize("name", MATRICES)
def test_powers_and_sums(name):
    matrix = MATRICES[name]
    spectral = SpectralMatrix.of(matrix)
    identity = torch.eye(len(matrix), dtype=torch.float64)
    root = spectral.power(0.5)
    torch.testing.assert_close(root(root(identity)), matrix, rtol=0, atol=1e-5)
    torch.testing.assert_close(
        spectral(spectral.power(-1.0)(identity)), identity, rtol=1e-9, atol=1e-9
    )
    torch.testing.assert_close(
        spectral.plus(2.0, 0.7)(identity), 2 * matrix + 0.7 * identity, rtol=0, atol=1e-5
    )


def test_many_directions_share_their_mean():
    matrix = torch.diag(torch.linspace(0.1, 2, 400, dtype=torch.float64))
    spectral = SpectralMatrix.of(matrix)
    identity = torch.eye(400, dtype=torch.float64)
    vectors = spectral.vectors
    torch.testing.assert_close(vectors.T @ vectors, torch.eye(vectors.shape[1]).double())
    assert float(spectral(identity).trace()) == pytest.approx(float(matrix.trace()))
    # Nearly the largest 128 there are, by name: 1.39 to 2.
    assert float(spectral.values.sum()) > 0.98 * float(matrix.diagonal()[-128:].sum())
    again = SpectralMatrix.of(matrix)
    assert torch.equal(again.vectors, vectors)


@pytest.mark.parametrize("d", [3, 300])
def test_blank_has_the_shape_of_all_others(d):
    blank, other = SpectralMatrix.blank(d), SpectralMatrix.of(positive(d).float())
    x = torch.randn(4, d, generator=seeded())
    torch.testing.assert_close(blank(x), x)
    assert blank.log_det == 0 and math.isfinite(other.log_det)
    blank.load_state_dict(other.state_dict())
    assert torch.equal(blank(x), other(x))


def test_few_rows_of_many_dimensions_are_decomposed_without_their_matrix():
    rows = torch.randn(40, 300, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found, whole = SpectralMatrix.of_rows(rows), torch.linalg.eigvalsh(rows.T @ rows)
    assert found.vectors.shape == (300, 40)
    torch.testing.assert_close(found.values, whole[-40:], rtol=1e-4, atol=0.0)
    torch.testing.assert_close(found.vectors.T @ found.vectors, torch.eye(40).double())
    assert float(found.rest) < 1e-4
    x = torch.randn(3, 300, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(found(x), x @ rows.T @ rows, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("n_free", [2, 5])
@pytest.mark.parametrize("k", [3, 6])
def test_rows_and_columns_at_some_places(k, n_free):
    generator = torch.Generator().manual_seed(k)
    vectors = torch.linalg.qr(torch.randn(6, 6, generator=generator)).Q[:, :k]
    matrix = SpectralMatrix(vectors, torch.linspace(3, 9, k), torch.tensor(2.0))
    places = torch.arange(6) < n_free
    dense = matrix(torch.eye(6))[places][:, places]
    part = matrix.within(places)
    torch.testing.assert_close(part(torch.eye(n_free)), dense)
    torch.testing.assert_close(part.power(-1.0)(torch.eye(n_free)), dense.inverse())
