"""Methods by name: built-in ones and those of plug-ins."""

from collections.abc import Mapping

from gedi import plugins
from gedi.errors import PluginError
from gedi.methods.gedi import gedi_terms
from gedi.methods.method import Method
from gedi.methods.rivals import SWAV_TEMPERATURE, barlow_twins_terms, swav_terms

__all__ = ["BUILT_IN", "method_of"]

_PROJECTED = 128  # width of the projection that Barlow Twins compares

BUILT_IN: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("gedi", gedi_terms, gives=("gen", "inv", "prior", "evidence")),
        Method("barlow-twins", barlow_twins_terms, two_views=True, projection=_PROJECTED),
        Method(
            "swav",
            swav_terms,
            gives=("inv", "evidence"),
            two_views=True,
            cosines=SWAV_TEMPERATURE,
        ),
    )
}


def method_of(name: str) -> Method:
    """The method of this name, built in or from a plug-in.

    Raises:
        PluginError: if there is no such method, or the plug-in does not provide a `gedi.Method` of
            this name.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    found = plugins.load("gedi.methods", name, built_in=tuple(BUILT_IN), setting="setting method")
    if not isinstance(found, Method) or found.name != name:
        raise PluginError(
            f"setting method: expected a gedi.Method with the name {name!r} from "
            f"{plugins.find('gedi.methods', name)}, got {found!r}"
        )
    return found
