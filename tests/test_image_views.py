"""Views of images: range, randomness, and what each step does."""

import pytest
import torch

from gedi.image_views import ImageViews, preset

GREY, COLOUR = (1, 12, 12), (3, 12, 12)
STEPS = {
    "crop": {"crop": 0.3},
    "flip": {"flip": 0.5},
    "jitter": {"jitter": 0.8},
    "grey": {"grey": 0.5},
    "blur": {"blur": 1.0},
    "noise": {"noise": 0.3},
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
def test_the_generator_decides_everything(step):
    view, x = ImageViews(COLOUR, **STEPS[step]), points(30)
    torch.manual_seed(1)
    first = see(view, x)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    assert torch.equal(see(view, x), first)
    assert not torch.equal(see(view, x, seed=1), first)
    assert torch.equal(torch.random.get_rng_state(), state)


@each_step
def test_the_generator_moves_on(step):
    view, x, generator = ImageViews(COLOUR, **STEPS[step]), points(30), seeded()
    first = view(x, posterior=unused, generator=generator)
    assert not torch.equal(view(x, posterior=unused, generator=generator), first)


@pytest.mark.parametrize("step", ["crop", "jitter", "blur", "noise"])
def test_drawn_anew_for_every_image(step):
    settings = {**STEPS[step], "jitter_probability": 1.0, "blur_probability": 1.0}
    x = points(1).expand(6, -1)
    assert len(see(ImageViews(COLOUR, **settings), x).unique(dim=0)) == 6


def test_without_strength_nothing_changes():
    x = points(5)
    torch.testing.assert_close(see(ImageViews(COLOUR), x), x)


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
    # Left to right from -1 to 1: in a part, neighbours differ by less.
    ramp = torch.linspace(-1, 1, 12).expand(GREY).reshape(1, -1)
    seen = see(ImageViews(GREY, crop=0.3, aspect=1.0), ramp.expand(200, -1))
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


def test_noise_has_the_deviation_it_says():
    seen = see(ImageViews(GREY, noise=0.1), torch.zeros(200, 144))
    assert float(seen.std()) == pytest.approx(0.1, rel=0.03)


def test_presets():
    digits, natural = preset("digits"), preset("natural")
    assert not {"flip", "jitter", "grey"} & set(digits)
    for shape, settings in [(GREY, digits), (COLOUR, natural), (GREY, natural)]:
        x = points(10, shape=shape)
        assert not torch.equal(see(ImageViews(shape, **settings), x), x)
    with pytest.raises(ValueError, match="one of digits, natural, got 'maps'"):
        preset("maps")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"flip": 1.5}, "flip: expected a number in"),
        ({"crop": 0.0}, r"expected crop > 0.*got 0\.0"),
        ({"aspect": 0.5}, "aspect >= 1"),
        ({"noise": -1.0}, "noise >= 0"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        ImageViews(GREY, **settings)
