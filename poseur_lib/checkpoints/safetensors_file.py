"""Checkpoints as safetensors, which hold tensors and text and nothing that could run."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from poseur_lib.errors import UserError, first_line

SUFFIX = ".safetensors"
WEIGHTS = "state_dict"


def write_safetensors(path: Path, content: dict[str, Any]) -> None:
    """The tensors of `content["state_dict"]`; what else is in it becomes the file's metadata, as JSON."""
    state: dict[str, Tensor] = content[WEIGHTS]
    metadata = {name: json.dumps(value) for name, value in content.items() if name != WEIGHTS}
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    path.write_bytes(save(tensors, metadata))  # `save_file` makes a file that the owner alone can read


def read_safetensors(path: Path, weights: bool = True) -> dict[str, Any]:
    """What `write_safetensors` was given; of another program's file the tensors alone.

    Args:
        weights: False leaves the tensors where they are.

    Raises:
        UserError: the file is no such file, or is cut off.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = {name: _value(text) for name, text in (file.metadata() or {}).items()}
            return {**metadata, WEIGHTS: {name: file.get_tensor(name) for name in file.keys() if weights}}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is cut off or no safetensors file: {first_line(error)}") from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
