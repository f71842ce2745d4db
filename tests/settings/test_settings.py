"""What settings are refused, and how that is said."""

from dataclasses import asdict, replace

import pytest

from gedi.errors import SettingsError
from gedi.settings import (
    Settings,
    WeightSettings,
    check,
    from_dict,
    learns_density,
    method_name,
)

NAN, INF = float("nan"), float("inf")


def changed(name, value):
    """The default settings with one of them changed, by its dotted name."""
    tree = asdict(Settings())
    *groups, leaf = name.split(".")
    place = tree
    for group in groups:
        place = place[group]
    place[leaf] = value
    return from_dict(tree)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_clusters", 1),
        ("max_iter", 0),
        ("max_time", 0),
        ("max_time", NAN),
        ("tol", -1e-3),
        ("patience", 0),
        ("batch_size", 1),
        ("learning_rate", 0),
        ("learning_rate", NAN),
        ("decay", 1.5),
        ("decay", -0.1),
        ("data_noise", -0.1),
        ("seed", -1),
        ("evaluate_every", 0),
        ("device", "tpu"),
        ("precision", "8"),
        ("prior", [0.5, 0.5, 0.0]),
        ("prior", [0.5, -0.5]),
        ("prior", [0.5, NAN]),
        ("prior", [0.5, INF]),
        ("encoder.hidden", []),
        ("encoder.hidden", [10, 0]),
        ("weights.gen", -1),
        ("weights.inv", -1),
        ("weights.prior", -1),
        ("sampler.step_size", 0),
        ("sampler.n_steps", 0),
        ("sampler.target_acceptance", 1.1),
        ("sampler.noise", -1),
        ("sampler.max_gradient", 0),
        ("sampler.boundary", "wrap"),
        ("sampler.kind", "gan"),
        ("sampler.vera.latents", 0),
        ("sampler.vera.learning_rate", 0),
        ("sampler.vera.entropy_weight", -1),
        ("sampler.vera.n_importance", 0),
        ("sampler.jumps", -1),
        ("sampler.n_anchors", 1),
        ("sampler.buffer_size", 0),
        ("sampler.reinit", 1.1),
        ("views.noise", -1),
        ("views.adversarial", -1),
        ("views.neighbours", -1),
        ("views.rotate", 181),
        ("views.shift", 1.1),
        ("views.zoom", 1.0),
        ("views.shear", 90),
        ("views.preset", "maps"),
        ("views.crop", 0),
        ("views.aspect", 0.9),
        ("views.flip", 1.1),
        ("views.jitter", -0.1),
        ("views.grey", NAN),
        ("views.blur", INF),
        ("views.pixel_noise", -1),
        ("restarts.n", 0),
        ("restarts.iterations", 0),
        ("restarts.warmup", -1),
        ("restarts.ramp", -1),
    ],
)
def test_refused_with_the_name_of_the_setting(name, value):
    with pytest.raises(SettingsError, match=rf"setting {name}: expected"):
        check(changed(name, value))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("n_clusters", "two", "a whole number or auto"),
        ("n_clusters", 2.5, "a whole number or auto"),
        ("n_clusters", True, "a whole number or auto"),
        ("max_iter", "many", "a whole number"),
        ("max_time", "1h", "a number"),
        ("learning_rate", [1e-3], "a number"),
        ("prior", 0.5, "a list of numbers or uniform or learned"),
        ("prior", ["a", "b"], "a list of numbers or uniform or learned"),
        ("encoder.hidden", 16, "a list of whole numbers"),
        ("encoder.hidden", [16.5], "a list of whole numbers"),
        ("encoder.base", "yes", "true or false"),
        ("encoder.kind", 3, "one of mlp, linear, conv, resnet8, resnet18"),
        ("method", None, "one of gedi, barlow-twins, swav"),
        ("views.own", "wave", "a list of names"),
        ("views.own", [1], "a list of names"),
        ("sampler.metropolis", 1, "true or false"),
        ("sampler.boundary", ["reject"], "one of reject, reflect, clamp"),
        ("device", None, "one of auto, cpu, cuda"),
        ("views.preset", "maps", "one of digits, natural"),
        ("views.crop", "half", "a number"),
        ("views.neighbours", 2.5, "a whole number"),
        ("restarts.n", {"a": 1}, "a whole number"),
    ],
)
def test_wrong_types_are_refused_with_what_is_expected(name, value, expected):
    with pytest.raises(SettingsError, match=rf"setting {name}: expected {expected}[,;] got"):
        check(changed(name, value))


def test_the_value_is_named_too():
    with pytest.raises(SettingsError, match=r"learning_rate: .*, got -3"):
        check(changed("learning_rate", -3))


def test_defaults_pass():
    check(Settings())


@pytest.mark.parametrize(
    "sampler",
    [
        {"metropolis": False, "noise": 0.01, "boundary": "clamp"},
        {"metropolis": False, "precondition": False, "boundary": "reflect"},
        {"metropolis": True, "precondition": False, "boundary": "reflect"},
        {"metropolis": True, "precondition": True, "boundary": "reject"},
    ],
)
def test_samplers_that_make_sense_pass(sampler):
    check(from_dict({"sampler": sampler}))


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        ({"metropolis": False, "boundary": "reject"}, "boundary: reject needs metropolis true"),
        ({"precondition": True, "boundary": "reflect"}, "reflect needs precondition false"),
        ({"metropolis": True, "boundary": "clamp"}, "clamp needs metropolis false"),
        ({"metropolis": True, "noise": 0.01}, "noise: expected null"),
    ],
)
def test_samplers_that_make_no_sense_are_refused(sampler, words):
    with pytest.raises(SettingsError, match=rf"setting sampler\..*{words}"):
        check(from_dict({"sampler": sampler}))


def test_length_of_the_prior():
    check(Settings(n_clusters=2, prior=[1, 3]))
    with pytest.raises(SettingsError, match=r"setting prior: expected 3 shares.*got 2"):
        check(Settings(n_clusters=3, prior=[1, 3]))


def test_from_dict_is_the_inverse_of_asdict():
    settings = replace(
        Settings(n_clusters=3, prior=[1, 2, 3]), weights=WeightSettings(gen=0.5, inv=2)
    )
    assert from_dict(asdict(settings)) == settings
    assert from_dict({}) == Settings()


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"clusters": 3}, "setting clusters does not exist"),
        ({"sampler": {"steps": 3}}, r"setting sampler\.steps does not exist"),
        ({"sampler": 3}, r"settings sampler\.: expected names with values"),
        ([], "settings file: expected names with values"),
    ],
)
def test_unknown_names_are_refused(tree, words):
    with pytest.raises(SettingsError, match=words):
        from_dict(tree)


def test_method_names():
    assert method_name(Settings(weights=WeightSettings(inv=0, prior=0))) == "JEM"
    assert method_name(Settings(weights=WeightSettings(gen=0))) == "GEDI no gen"
    assert method_name(Settings()) == "GEDI"
    assert method_name(Settings(method="barlow-twins")) == "Barlow Twins"
    assert method_name(Settings(method="swav")) == "SwAV"
    assert method_name(Settings(method="mine")) == "mine"


def test_a_density_needs_gen():
    assert learns_density(Settings())
    assert learns_density(Settings(weights=WeightSettings(inv=0, prior=0)))
    assert not learns_density(Settings(weights=WeightSettings(gen=0)))
