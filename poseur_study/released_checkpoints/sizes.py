"""Input sizes that a user has said of checkpoints whose weights do not tell them, kept beside the records of all."""

import json
from dataclasses import dataclass
from pathlib import Path

from poseur_lib.errors import UserError
from poseur_lib.files import write_atomically

FOLDER = "released"
SIZES_FILE = "input_sizes.json"


@dataclass(frozen=True)
class GivenSizes:
    """What was said in a folder of runs."""

    runs: Path

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Input sizes (height, width) that a user has said, by the SHA-256 of the file.

        Raises:
            UserError: the file that keeps them is damaged.
        """
        path = self.runs / FOLDER / SIZES_FILE
        try:
            return {digest: (int(h), int(w)) for digest, (h, w) in json.loads(path.read_text(encoding="utf-8")).items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError):
            raise UserError(f"{path} is damaged: delete it and give the sizes with --input-size again") from None

    def keep_sizes(self, sizes: dict[str, tuple[int, int]]) -> None:
        """Add to the known input sizes; a later word replaces an earlier one."""
        if sizes.items() <= self.sizes.items():
            return
        content = json.dumps({**self.sizes, **sizes}, indent=1, sort_keys=True)
        write_atomically(self.runs / FOLDER / SIZES_FILE, f"{content}\n".encode())
