"""Puts a finished run's model into the package: `python -m tools.ship_model runs/mini/RUN` (its model.pt is needed)."""

import sys
from dataclasses import asdict
from pathlib import Path

import torch

from poseur_lib.checkpoints.checkpoint import read_weights
from poseur_lib.checkpoints.shipped import SHIPPED, ShippedModel
from poseur_lib.files import MODEL_FILE, atomic_file
from poseur_study.runs.record import read_record

LARGEST = 4 * 10**6


def main(run: Path) -> None:
    """Write weights as float16, the configuration, and what the record says of them."""
    content, record = read_weights(run / MODEL_FILE), read_record(run)
    made = record.provenance
    (ap,) = [one.AP for one in record.metrics if one.boxes == "ground_truth"]
    about = ShippedModel(record.run_id, made.profile, made.commit, made.data_fingerprint, round(ap, 1), made.n_images)
    halved = {
        name: value.half() if value.is_floating_point() else value for name, value in content["state_dict"].items()
    }
    written = {
        "format": content["format"],
        "config": content["config"],
        "generated_data": made.generated_data,
        "about": asdict(about),
        "state_dict": halved,
    }
    with atomic_file(SHIPPED) as file:
        torch.save(written, file)
    size = SHIPPED.stat().st_size
    print(f"{SHIPPED}: {size / 1e6:.1f} MB (at most {LARGEST / 1e6:g}); {about.text}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
