"""Every column to a robust scale, with compressed tails, and to a normal law where asked for."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["CUT", "Margins", "compress", "location_and_scale", "quantiles", "register"]

CUT = 6.0  # robust deviations up to which a column stays linear
FAR = 1e37  # of them: beyond, a column is flat
_APART = 1e-4  # robust deviations between two knots, at least


class Margins(nn.Module):
    """z = T(x), one increasing function T_j for each column.

        t = (x - m) / s
        z = t                                             |t| <= 6
            sign(t) 6 (1 + log(1 + log(|t| / 6)))         elsewhere

    with the median m and a robust standard deviation s. So a value of 1e12 is some twenty
    deviations away instead of 1e12. For the columns `normal`, z goes through a monotone
    rational-quadratic spline from the quantiles of the data to those of N(0, 1), with linear ends
    (Gregory & Delbourgo, IMA J. Numer. Anal. 1982; Durkan et al., NeurIPS 2019).

    Args:
        tensors: m and s (d,); the indices of normal columns (e,); and the splines by their knots,
            their values and derivatives there (e, k).
    """

    shift: Tensor
    scale: Tensor
    normal: Tensor
    knots: Tensor
    values: Tensor
    slopes: Tensor

    def __init__(self, **tensors: Tensor) -> None:
        super().__init__()
        register(self, tensors)

    @classmethod
    def fit(cls, x: Tensor, normal: Tensor) -> "Margins":
        """Margins of data (n, d), with splines in the columns of the mask `normal`, (d,)."""
        shift, scale = location_and_scale(x)
        columns = normal.nonzero()[:, 0]
        levels = _levels(len(x)).to(x)
        t = compress((x[:, columns] - shift[columns]) / scale[columns])[0]
        knots = quantiles(t, levels).T + _APART * torch.arange(len(levels)).to(x)
        values = torch.special.ndtri(levels).expand_as(knots)
        secants = values.diff(dim=1) / knots.diff(dim=1)
        inner = 2 * secants[:, 1:] * secants[:, :-1] / (secants[:, 1:] + secants[:, :-1])
        slopes = torch.cat([secants[:, :1], inner, secants[:, -1:]], 1)
        splines = {"normal": columns, "knots": knots, "values": values, "slopes": slopes}
        return cls(shift=shift, scale=scale, **splines)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Z and log |det dz/dx| of x, (n, d) -> (n, d), (n,)."""
        z, log_slopes = compress((x - self.shift) / self.scale)
        log_det = (log_slopes - self.scale.log()).sum(-1)
        if len(self.normal) == 0:
            return z, log_det
        onto, log_slopes = _spline(z[:, self.normal].T, self.knots, self.values, self.slopes)
        return z.index_copy(1, self.normal, onto.T), log_det + log_slopes.sum(0)

    def inverse(self, z: Tensor) -> Tensor:
        """The x of z, (n, d) -> (n, d)."""
        if len(self.normal):
            t = _inverse_spline(z[:, self.normal].T, self.knots, self.values, self.slopes)
            z = z.index_copy(1, self.normal, t.T)
        far = z.abs().clamp_min(CUT) / CUT - 1
        far = (far.expm1().exp() * CUT).clamp_max(FAR)
        return torch.where(z.abs() > CUT, z.sign() * far, z) * self.scale + self.shift


def register(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Store tensors in a module by their names."""
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor.contiguous())


def location_and_scale(x: Tensor) -> tuple[Tensor, Tensor]:
    """Median and robust standard deviation of each column, (n, d) -> (d,), (d,).

    The latter is the distance of the quartiles over that of N(0, 1). Where they are the same it is
    that of wider quantiles, and in the end the standard deviation; for a constant c, max(1, |c|).
    """
    levels = x.new_tensor([0.5, 0.25, 0.75, 0.05, 0.95, 0.01, 0.99])
    median, *ends = quantiles(x, levels)
    scale = (ends[1] - ends[0]) / 1.349
    for low, high, width in ((ends[2], ends[3], 3.29), (ends[4], ends[5], 4.65)):
        wide = (high - low) / width
        scale = torch.where(scale > 0, scale, wide)
    scale = torch.where(scale > 0, scale, x.std(0, correction=0))
    size = median.abs()
    return median, torch.where(scale > 1e-12 * size, scale, size.clamp_min(1.0))


def quantiles(x: Tensor, levels: Tensor) -> Tensor:
    """Linearly interpolated quantiles of each column, (n, d) and (k,) -> (k, d)."""
    ordered = x.sort(0).values
    at = levels * (len(x) - 1)
    below = at.long()
    above = (below + 1).clamp_max(len(x) - 1)
    return torch.lerp(ordered[below], ordered[above], (at - below)[:, None])


def _levels(n: int) -> Tensor:
    """Evenly spaced levels, and up to two closer to either end where at least three rows are."""
    k = int(min(40, max(6, n / 25)))
    ends = torch.tensor([end for end in (0.5 / k, 0.1 / k) if end * n >= 3], dtype=torch.float64)
    even = torch.arange(1, k + 1, dtype=torch.float64) / (k + 1)
    return torch.cat([even, ends, 1 - ends]).sort().values


def compress(t: Tensor) -> tuple[Tensor, Tensor]:
    """Values t with their tails compressed twice by a logarithm, and the log of the slope."""
    t = t.clamp(-FAR, FAR)
    ratio = t.abs().clamp_min(CUT) / CUT
    once = 1 + ratio.log()
    far = t.sign() * CUT * (1 + once.log())
    return torch.where(t.abs() > CUT, far, t), -(ratio * once).log()


def _interval(at: Tensor, ends: Tensor, *tables: Tensor) -> list[Tensor]:
    """Each table at the left and right end of the intervals of `ends` in which points lie."""
    if torch.compiler.is_exporting():  # ONNX knows no searchsorted
        found = (ends[:, None, :] < at[..., None]).sum(-1)
    else:
        found = torch.searchsorted(ends, at.contiguous())
    i = found.clamp(1, ends.shape[1] - 1)
    return [side for table in tables for side in (table.gather(1, i - 1), table.gather(1, i))]


def _spline(t: Tensor, knots: Tensor, values: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Values of a spline for each row of (e, n), and the logs of its slopes."""
    x0, x1, y0, y1, d0, d1 = _interval(t, knots, knots, values, slopes)
    s = (y1 - y0) / (x1 - x0)
    u = ((t - x0) / (x1 - x0)).clamp(0, 1)
    v = u * (1 - u)
    below = s + (d1 + d0 - 2 * s) * v
    y = y0 + (y1 - y0) * (s * u * u + d0 * v) / below
    y = y + (t - x0).clamp_max(0) * d0 + (t - x1).clamp_min(0) * d1
    slope = s * s * (d1 * u * u + 2 * s * v + d0 * (1 - u) ** 2) / below**2
    return y, slope.log()


def _inverse_spline(y: Tensor, knots: Tensor, values: Tensor, slopes: Tensor) -> Tensor:
    """The t of `_spline`, (e, n) -> (e, n)."""
    x0, x1, y0, y1, d0, d1 = _interval(y, values, knots, values, slopes)
    s = (y1 - y0) / (x1 - x0)
    w = (y - y0).clamp_min(0).minimum(y1 - y0)
    bend = d1 + d0 - 2 * s
    a = (y1 - y0) * (s - d0) + w * bend
    b = (y1 - y0) * d0 - w * bend
    u = 2 * s * w / (b + (b * b + 4 * a * s * w).clamp_min(0).sqrt())
    t = x0 + u * (x1 - x0)
    return t + (y - y0).clamp_max(0) / d0 + (y - y1).clamp_min(0) / d1
