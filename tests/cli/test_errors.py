"""Errors name what was given and the nearest thing that is known."""

import os
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch.utils.data import DataLoader

from poseur_lib import files
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.crop import CropRule
from poseur_lib.data.dataset import PoseCrops
from poseur_lib.errors import UserError, describe_validation, nearest, require_known, unknown_name, validated
from poseur_lib.files import require_writable, write_atomically
from poseur_lib.keypoints import COCO_17
from poseur_study.cli.main import explain, main
from tests.training.tiny import write_people


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Decoder(Strict):
    kind: Literal["decoder"] = "decoder"
    num_layers: Annotated[int, Field(ge=1)] = 6
    noise_range: tuple[float, float] = (0.0, 0.1)


class Heatmap(Strict):
    kind: Literal["heatmap"] = "heatmap"
    blur_px: float = 2.0


class Tree(Strict):
    seed: int = 0
    learning_rate: float = 1e-3
    head: Annotated[Decoder | Heatmap, Field(discriminator="kind")] = Decoder()
    stages: tuple[Heatmap, ...] = ()
    backup: Decoder | None = None


def message(values: dict) -> str:
    with pytest.raises(UserError) as caught:
        validated(Tree, values)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(st.lists(st.from_regex(r"[a-z]{3,12}(_[a-z]{1,6})?", fullmatch=True), min_size=1, max_size=8, unique=True))
def test_a_known_name_is_its_own_nearest(known: list[str]) -> None:
    assert [nearest(name, known) for name in known] == known


def test_nearest_forgives_case_hyphens_and_a_typo() -> None:
    known = ["learning_rate", "num_layers", "AP"]
    assert nearest("Learning-Rate", known) == "learning_rate"
    assert nearest("num_layer", known) == "num_layers"
    assert nearest("zzz", known) is None


def test_unknown_name_lists_what_is_known_where_nothing_is_near() -> None:
    assert str(unknown_name("profile", "huge", ["mini", "smoke"])) == "unknown profile 'huge': known: mini, smoke"
    assert str(unknown_name("profile", "smoek", ["mini", "smoke"])) == "unknown profile 'smoek': did you mean 'smoke'?"


def test_require_known() -> None:
    require_known("parameter", ["seed"], ["seed", "profile"])
    with pytest.raises(UserError, match="unknown parameter 'sed': did you mean 'seed'"):
        require_known("parameter", ["seed", "sed"], ["seed", "profile"])


def test_valid_values_pass() -> None:
    assert validated(Tree, {"seed": 3}) == Tree(seed=3)


def test_a_misspelt_field_at_the_top() -> None:
    assert message({"lerning_rate": 0.1}) == "unknown parameter 'lerning_rate': did you mean 'learning_rate'?"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"head": {"kind": "decoder", "num_layrs": 2}}, "did you mean 'num_layers'? (in head.decoder)"),
        ({"head": {"kind": "heatmap", "blur": 2.0}}, "did you mean 'blur_px'? (in head.heatmap)"),
        ({"stages": ({"blurpx": 1.0},)}, "did you mean 'blur_px'? (in stages.0)"),
        ({"backup": {"nois_range": (0.0, 1.0)}}, "did you mean 'noise_range'? (in backup)"),
    ],
)
def test_a_misspelt_field_inside(values: dict, expected: str) -> None:
    assert message(values).endswith(expected)


def test_a_node_that_was_given_as_a_whole_without_its_kind_shows_the_dotted_path_of_one_knob() -> None:
    expected = "head: given as a whole, without 'kind'; a dotted path changes one knob alone, such as head.num_layers"
    assert message({"head": {"num_layers": 2}}) == expected


def test_an_ill_typed_value_is_named_with_its_path() -> None:
    assert message({"learning_rate": "1e-3"}) == "learning_rate = '1e-3': input should be a valid number"
    assert message({"head": {"kind": "decoder", "num_layers": 0}}).startswith("head.decoder.num_layers = 0: ")


def test_every_problem_stands_in_the_one_line() -> None:
    line = message({"seed": 1.5, "sede": 1})
    assert "seed = 1.5" in line and "unknown parameter 'sede'" in line and "; " in line


def test_without_the_model_the_name_alone_is_told() -> None:
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate({"sede": 1})
    assert describe_validation(caught.value) == "unknown parameter 'sede'"


def test_a_missing_image_in_a_loader_s_process_is_one_line(tmp_path):
    root = write_people(tmp_path / "people", 2, 2)
    next((root / "val2017").iterdir()).unlink()
    crops = PoseCrops(CocoPeople(root, "val", COCO_17).people(), COCO_17, (64, 48), CropRule(), None, 0)
    with pytest.raises(UserError) as raised:
        list(DataLoader(crops, num_workers=1))
    line, code = explain(raised.value)
    assert code == 1 and line.endswith("image cannot be read: No such file or directory") and len(line) < 300


def test_where_results_go_is_checked_before_a_checkpoint_is_read(tmp_path, capsys):
    (tmp_path / "file").touch()
    for output, says in ((tmp_path, "is a folder"), (tmp_path / "file" / "x.json", "results cannot be written to")):
        arguments = ["evaluate", "--checkpoint", tmp_path / "none.pt", "--data", tmp_path, "--output", output]
        assert main(list(map(str, arguments))) == 1
        assert says in capsys.readouterr().err


def test_a_folder_that_another_job_looks_at_meanwhile_is_writable(tmp_path, monkeypatch):
    """As the tasks of an array do that begin together."""
    write, looks = files.write_atomically, []

    def write_and_be_overtaken(path: Path, content: bytes) -> None:
        write(path, content)
        looks.append(path)
        if len(looks) == 1:
            require_writable(tmp_path)

    monkeypatch.setattr(files, "write_atomically", write_and_be_overtaken)
    require_writable(tmp_path)
    assert len(looks) == 2 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_a_pipe_or_standard_output_is_not_replaced_by_results(tmp_path, capsys, kind):
    path = tmp_path / "output"
    if kind == "fifo":
        os.mkfifo(path)
    else:  # as /dev/stdout
        path.symlink_to("/proc/self/fd/1")
    before = path.lstat()
    evaluate = ["evaluate", "--checkpoint", tmp_path / "none.pt", "--data", tmp_path, "--output", path]
    for arguments in (evaluate, ["ceiling", tmp_path, "--csv", path], ["cost", "smoke", "--csv", path]):
        assert main(list(map(str, arguments))) == 1
        assert f"{path} is not a regular file" in capsys.readouterr().err
    with pytest.raises(UserError, match="not a regular file"):
        write_atomically(path, b"")
    assert path.lstat() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("value", ["Infinity", "NaN", "-Infinity", "1e999"])
def test_a_knob_that_is_no_number_is_named(tmp_path, capsys, value):
    arguments = ["train", tmp_path / "run", "--data", tmp_path, "--profile", "smoke"]
    assert main([*map(str, arguments), "--set", f"train.learning_rate={value}"]) == 1
    assert "train.learning_rate = " in capsys.readouterr().err
