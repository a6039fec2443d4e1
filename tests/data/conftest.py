"""What the released code made of the people and detector boxes of four images of COCO."""

import json

import pytest


@pytest.fixture(scope="session")
def data_reference(shared):
    return json.loads((shared / "reference" / "data_coco4.json").read_text())
