"""`poseur train`'s folder: whose it is, and when."""

import pytest

from poseur_lib.errors import UserError
from poseur_lib.files import LAST_CHECKPOINT
from poseur_lib.runtime import Runtime
from poseur_lib.training import fit
from tests.training.tiny import tiny_config


def test_a_run_that_could_not_start_leaves_its_folder_to_the_next(tmp_path, monkeypatch):
    """A mistake in the configuration shows when the model is built, after the folder has its config.json."""
    runtime, place = Runtime(data=tmp_path / "absent", threads=1), tmp_path / "run"
    mistaken = tiny_config(**{"model.head": {"kind": "heatmap"}, "data.input_size": [64, 50]})
    with pytest.raises(UserError, match="input size 64x50: heatmaps need multiples of 4"):
        fit.train_in_folder(mistaken, place, runtime)
    started = []
    monkeypatch.setattr(fit, "train", lambda config, *_: started.append(config) or ())
    mended = tiny_config(**{"model.head": {"kind": "heatmap"}})
    fit.train_in_folder(mended, place, runtime)
    assert started == [mended] and mended.is_written_as((place / fit.CONFIG_FILE).read_text())
    (place / LAST_CHECKPOINT).touch()
    with pytest.raises(UserError, match=r"config\.json is another configuration than the one asked for"):
        fit.train_in_folder(tiny_config(), place, runtime)
    assert mended.is_written_as((place / fit.CONFIG_FILE).read_text())
