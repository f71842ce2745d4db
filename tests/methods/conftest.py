import json

import pytest


@pytest.fixture
def golden(shared):
    """Inputs, losses and gradient norms of public implementations, in float64."""
    path = shared / "golden" / "ssl_losses.json"
    if not path.is_file():
        pytest.skip("no golden/ssl_losses.json in the folder of golden values")
    cases = json.loads(path.read_text())
    assert cases
    return cases
