"""The recorded parity that the report shows is what this version gives, within the bounds, of all configurations."""

import pytest

from poseur_lib.errors import UserError
from poseur_study.evidence.evidence import ParityRecord, recorded
from poseur_study.parity.evaluation import evaluation_parities
from poseur_study.parity.outputs import config_parity, recorded_names

QUICK = "coco__poseur_mobilenetv2_coco_256x192"


@pytest.fixture(scope="module")
def record():
    return recorded(ParityRecord)


def test_every_configuration_is_in_the_record_and_within_its_bounds(record):
    assert len(record.configs) == 26
    assert all(one.parameters == one.parameters_released for one in record.configs)
    assert all(one.differences.within for one in record.configs if one.differences)
    assert all(one.within for one in record.evaluations)


def test_the_record_is_of_what_was_recorded(record, shared):
    assert tuple(one.name for one in record.configs) == recorded_names(shared / "reference")
    outputs = {path.stem for path in (shared / "reference" / "outputs").glob("*.npz")}
    assert {one.name for one in record.configs if one.differences} == outputs


def test_one_configuration_anew(record, shared):
    """Rounding may differ between machines, the bound may not; test_released_configs has all of them."""
    known = next(one for one in record.configs if one.name == QUICK)
    found = config_parity(shared / "reference", QUICK)
    assert found.with_changes(differences=None) == known.with_changes(differences=None)
    assert found.differences is None or found.differences.within


def test_evaluations_anew(record, shared):
    found = evaluation_parities(shared / "reference", shared / "data" / "coco4")
    assert [one.name for one in found] == [one.name for one in record.evaluations]
    assert all(one.within for one in found)


def test_a_folder_without_records(tmp_path):
    with pytest.raises(UserError, match="no manifests"):
        recorded_names(tmp_path)
