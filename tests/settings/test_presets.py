"""The numbers of the presets, and that all who use them mean the same."""

import inspect
from dataclasses import fields

import pytest

from gedi.settings import Settings, ViewSettings, check
from gedi.settings.presets import NEUTRAL, changes_images, preset
from gedi.views.images import ImageViews


def test_settings_and_views_have_the_names_of_the_presets():
    assert set(NEUTRAL) < {known.name for known in fields(ViewSettings)}
    assert set(NEUTRAL) <= set(inspect.signature(ImageViews).parameters)
    for kind in ("digits", "natural"):
        assert list(preset(kind)) == list(NEUTRAL)
        check(Settings(views=ViewSettings(**preset(kind))))


def test_signs_are_neither_mirrored_nor_coloured():
    digits, natural = preset("digits"), preset("natural")
    assert (digits["flip"], digits["jitter"], digits["grey"]) == (0, 0, 0)
    assert min(natural["flip"], natural["jitter"], natural["grey"]) > 0
    assert changes_images(digits) and changes_images(natural)


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="one of digits, natural, got 'maps'"):
        preset("maps")


@pytest.mark.parametrize("name", NEUTRAL)
def test_every_step_but_the_aspect_alone_changes_images(name):
    assert not changes_images(NEUTRAL)
    assert changes_images(NEUTRAL | {name: 0.5}) == (name != "aspect")
