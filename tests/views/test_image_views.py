"""Views of images: range, randomness, and what each step does."""

import pytest
import torch

from gedi.settings.presets import NEUTRAL, preset
from gedi.views.images import ImageViews

GREY, COLOUR = (1, 12, 12), (3, 12, 12)
STEPS = {
    "rotate": {"rotate": 30.0},
    "shift": {"shift": 0.2},
    "zoom": {"zoom": 0.3},
    "shear": {"shear": 20.0},
    "crop": {"crop": 0.3},
    "flip": {"flip": 0.5},
    "jitter": {"jitter": 0.8},
    "grey": {"grey": 0.5},
    "blur": {"blur": 1.0},
    "noise": {"pixel_noise": 0.3},
}
each_step = pytest.mark.parametrize("step", STEPS)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def unused(x):
    raise AssertionError("these views have no use for the posterior")


def points(*sizes, shape=COLOUR, seed=1, dtype=torch.float32):
    d = shape[0] * shape[1] * shape[2]
    return torch.rand(*sizes, d, generator=seeded(seed), dtype=dtype) * 2 - 1


def see(view, x, seed=0):
    return view(x, posterior=unused, generator=seeded(seed))


@each_step
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_type_and_range_are_kept(step, dtype):
    x = points(2, 30, dtype=dtype).sign()  # the corners of the range
    before = x.clone()
    seen = see(ImageViews(COLOUR, **STEPS[step]), x)
    assert seen.shape == x.shape and seen.dtype == dtype and seen.isfinite().all()
    assert seen.min() >= -1 and seen.max() <= 1
    assert torch.equal(x, before) and not torch.equal(seen, x)


@each_step
def test_the_generator_determines_everything(step):
    view, x = ImageViews(COLOUR, **STEPS[step]), points(30)
    torch.manual_seed(1)
    first = see(view, x)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    assert torch.equal(see(view, x), first)
    assert not torch.equal(see(view, x, seed=1), first)
    assert torch.equal(torch.random.get_rng_state(), state)


@each_step
def test_the_generator_advances(step):
    view, x, generator = ImageViews(COLOUR, **STEPS[step]), points(30), seeded()
    first = view(x, posterior=unused, generator=generator)
    assert not torch.equal(view(x, posterior=unused, generator=generator), first)


@pytest.mark.parametrize("step", [step for step in STEPS if step not in ("flip", "grey")])
def test_every_image_is_changed_differently(step):
    settings = {**STEPS[step], "jitter_probability": 1.0, "blur_probability": 1.0}
    x = points(1).expand(6, -1)
    assert len(see(ImageViews(COLOUR, **settings), x).unique(dim=0)) == 6


def test_without_strength_nothing_changes():
    x = points(5)
    torch.testing.assert_close(see(ImageViews(COLOUR), x), x)
    assert not ImageViews(COLOUR, **NEUTRAL).steps


def test_steps_come_in_their_order():
    every = {name: value for step in STEPS.values() for name, value in step.items()}
    view = ImageViews(COLOUR, **every)
    assert [getattr(step, "func", type(step)).__name__ for step in view.steps] == [
        "Geometry",
        "mirrored",
        "Jitter",
        "greyed",
        "_Blur",
    ]
    # Noise comes last, so that nothing smooths it.
    smooth = ImageViews(GREY, blur=2.0, blur_probability=1.0, pixel_noise=0.1)
    assert float(see(smooth, torch.zeros(200, 144)).std()) == pytest.approx(0.1, rel=0.03)


def ramp(n):
    """From -1 at the left to 1 at the right, n times."""
    return torch.linspace(-1, 1, 12).expand(GREY).reshape(1, -1).expand(n, -1)


def across(seen):
    """Mean differences of neighbours inside the image, (n,): left to right, and downwards."""
    inner = seen.reshape(-1, 12, 12)[:, 4:8, 4:8]
    return inner.diff(dim=-1).mean((1, 2)), inner.diff(dim=-2).mean((1, 2))


def test_rotations_turn_up_to_their_angle():
    right, down = across(see(ImageViews(GREY, rotate=30.0), ramp(400)))
    angles = torch.atan2(down, right).rad2deg()
    assert 28 < angles.max() < 30.5 and -30.5 < angles.min() < -28
    torch.testing.assert_close(right.hypot(down), torch.full((400,), 2 / 11), rtol=1e-3, atol=0)


def test_shifts_go_up_to_their_share_and_repeat_the_border():
    seen = see(ImageViews(GREY, shift=0.25), ramp(400)).reshape(400, 12, 12)
    moved = (seen[:, 6, 6] - ramp(1).reshape(12, 12)[6, 6]) / (2 / 11)  # in pixels
    assert 2.9 < moved.max() < 3.01 and -3.01 < moved.min() < -2.9
    uncovered = seen[moved > 1][:, :, -1]
    torch.testing.assert_close(uncovered, torch.full_like(uncovered, 1.0))


def test_zooms_go_up_to_their_share_in_width_and_height():
    # A ramp along both axes shows both.
    slanted = ramp(400).reshape(400, 12, 12)
    slanted = (slanted + 2 * slanted.mT).flatten(1) / 3
    right, down = across(see(ImageViews(GREY, zoom=0.2), slanted))
    width, height = (2 / 33) / right, (4 / 33) / down
    for scale in (width, height):
        assert 1.19 < scale.max() < 1.21 and 0.79 < scale.min() < 0.81
    assert abs(float(torch.corrcoef(torch.stack([width, height]))[0, 1])) < 0.15


def test_shears_go_up_to_their_angle():
    right, down = across(see(ImageViews(GREY, shear=20.0), ramp(400)))
    angles = torch.atan2(down, right).rad2deg()
    assert 18.5 < angles.max() < 20.5 and -20.5 < angles.min() < -18.5


def test_flip_mirrors_left_to_right_in_its_share():
    x = points(400)
    seen = see(ImageViews(COLOUR, flip=0.25), x)
    mirrored = x.reshape(-1, *COLOUR).flip(-1).flatten(1)
    is_mirrored = torch.isclose(seen, mirrored, atol=1e-5).all(-1)
    is_same = torch.isclose(seen, x, atol=1e-5).all(-1)
    assert (is_mirrored ^ is_same).all()
    assert float(is_mirrored.float().mean()) == pytest.approx(0.25, abs=0.07)


def test_grey_loses_the_colour_in_its_share():
    seen = see(ImageViews(COLOUR, grey=0.25), points(400)).reshape(-1, *COLOUR)
    same = torch.isclose(seen[:, :1], seen, atol=1e-5).flatten(1).all(-1)
    assert float(same.float().mean()) == pytest.approx(0.25, abs=0.07)


@pytest.mark.parametrize("step", ["jitter", "grey"])
def test_colour_is_for_three_channels(step):
    x = points(20, shape=GREY)
    torch.testing.assert_close(see(ImageViews(GREY, **STEPS[step]), x), x)


def test_crop_enlarges_a_part():
    seen = see(ImageViews(GREY, crop=0.3, aspect=1.0), ramp(200))  # neighbours differ by less
    span = seen.reshape(200, 12, 12)[:, 0]
    spans = (span[:, -1] - span[:, 0]) / 2
    assert spans.min() > 0.4 and spans.max() < 1.01
    assert float(spans.mean()) == pytest.approx(0.79, abs=0.06)  # the mean root of U(0.3, 1)


def test_blur_brings_neighbours_together():
    x = points(100, shape=GREY)
    seen = see(ImageViews(GREY, blur=1.0, blur_probability=1.0), x)
    assert seen.std() < 0.8 * x.std()
    flat = torch.full((4, 144), 0.5)
    torch.testing.assert_close(see(ImageViews(GREY, blur=1.0, blur_probability=1.0), flat), flat)


def test_noise_has_the_deviation_of_its_setting():
    seen = see(ImageViews(GREY, pixel_noise=0.1), torch.zeros(200, 144))
    assert float(seen.std()) == pytest.approx(0.1, rel=0.03)


@pytest.mark.parametrize("shape", [(1, 4, 6), (1, 1, 5), (3, 2, 2)])
def test_images_smaller_than_the_blur(shape):
    x = points(20, shape=shape)
    seen = see(ImageViews(shape, blur=5.0, blur_probability=1.0), x)
    assert seen.isfinite().all() and seen.std() < x.std()


@pytest.mark.parametrize("kind", ["digits", "natural"])
@pytest.mark.parametrize("shape", [GREY, COLOUR])
def test_presets_are_views(kind, shape):
    x = points(10, shape=shape)
    assert not torch.equal(see(ImageViews(shape, **preset(kind)), x), x)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"flip": 1.5}, "flip: expected a number in"),
        ({"rotate": 181.0}, r"expected rotate in \[0, 180\].*got 181\.0"),
        ({"shift": -0.1}, "shift: expected a number in"),
        ({"zoom": 1.0}, "zoom < 1"),
        ({"shear": 90.0}, r"shear in \[0, 90\)"),
        ({"crop": 0.0}, r"crop > 0.*got 0\.0, 0\.0"),
        ({"aspect": 0.5}, "aspect >= 1"),
        ({"pixel_noise": -1.0}, "pixel_noise >= 0"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        ImageViews(GREY, **settings)
