"""Where the paper's text and the released code differ, and what this library does about it: one row each.

They are read from `deviations.toml` and shown in the report. The tests hold every row against the configuration and
against the test it names.
"""

import json
from pathlib import Path

from pydantic import ValidationError

from poseur_lib.config.base import Frozen
from poseur_lib.errors import UserError, describe_validation
from poseur_study.paper.tables import read_toml

DEVIATIONS_FILE = Path(__file__).with_name("deviations.toml")

Value = bool | int | float | str


class Deviation(Frozen):
    """One difference.

    Attributes:
        subject: what it is about.
        place: where the paper speaks of it.
        paper: what the paper says; "silent" where it says nothing.
        released: what the released code does.
        knob: dotted path in `ExperimentConfig` that chooses; None where there is nothing to choose.
        default: the knob's default.
        paper_value: the knob's value in the preset `paper_text`; None where the preset leaves the default.
        note: what else one should know.
        tables: numbers of the tables that it touches, "S3" for one of the supplement; "all": every trained model.
        test: id of the test that covers it.
    """

    subject: str
    place: str
    paper: str
    released: str
    knob: str | None = None
    default: Value | None = None
    paper_value: Value | None = None
    note: str = ""
    tables: tuple[str, ...] = ("all",)
    test: str


class Deviations(Frozen):
    """The rows by what can be chosen: by the preset, by a knob that it leaves alone, or nothing."""

    of_the_preset: tuple[Deviation, ...]
    left_open: tuple[Deviation, ...]
    without_knob: tuple[Deviation, ...]


def read_deviations(file: Path) -> Deviations:
    """Deviations from a file like `deviations.toml`.

    Raises:
        UserError: it is not valid TOML, or a row has a missing, unknown or ill-typed entry.
    """
    content = json.dumps(read_toml(file), default=float)
    try:
        return Deviations.model_validate_json(content)
    except ValidationError as error:
        raise UserError(f"{file}: {describe_validation(error, Deviations)}") from None


_ROWS = read_deviations(DEVIATIONS_FILE)
OF_THE_PRESET, LEFT_OPEN, WITHOUT_KNOB = _ROWS.of_the_preset, _ROWS.left_open, _ROWS.without_knob
DEVIATIONS = (*OF_THE_PRESET, *LEFT_OPEN, *WITHOUT_KNOB)
