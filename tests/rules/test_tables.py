"""Tables on the device of the inputs."""

import torch

from gedi.rules.tables import Tables


def test_they_are_copied_to_a_device_once():
    table = torch.arange(3)
    tables = Tables(table)
    assert tables.on(torch.device("cpu"))[0] is table
    (elsewhere,) = tables.on(torch.device("meta"))
    assert elsewhere.device.type == "meta"
    assert tables.on(torch.device("meta"))[0] is elsewhere


def test_copies_made_in_inference_mode_serve_trainings():
    tables = Tables(torch.arange(3))
    with torch.inference_mode():
        tables.on(torch.device("meta"))
    assert not tables.on(torch.device("meta"))[0].is_inference()
