"""What a checkpoint knows of people: real ones, or generated ones alone."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from poseur_lib.checkpoints.recorded import record_beside
from poseur_lib.checkpoints.safetensors_file import SUFFIX, read_safetensors
from poseur_lib.files import open_regular

GENERATED_DATA = "generated_data"
MAX_BYTES = 2**34
ONLY_GENERATED = "It knows only generated people: on photographs of real ones its poses mean nothing."


def trained_on_generated(path: Path) -> bool:
    """True if a checkpoint says so, or the record beside it, as for runs from before checkpoints said it."""
    content: Any = {}
    with (
        suppress(Exception),
        open_regular(path, MAX_BYTES),
    ):  # whatever is wrong with the file, its loader says it better
        if path.suffix == SUFFIX:
            content = read_safetensors(path, weights=False)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)  # no weight is read
    if isinstance(content, dict) and GENERATED_DATA in content:
        return bool(content[GENERATED_DATA])
    with suppress(KeyError, TypeError):
        return bool(record_beside(path)["provenance"][GENERATED_DATA])
    return False
