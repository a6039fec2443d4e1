"""On a processor, freed memory is used again instead of handed back: counted in page faults of a fresh process."""

import os
import platform
import subprocess
import sys

import pytest

from poseur_lib.data.coco import CocoPeople
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.whole_images import find_people
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.build import build_network
from poseur_lib.runtime import MALLOC_VARIABLES, InferenceRuntime, Runtime, keep_freed_memory
from poseur_lib.training.fit import train
from tests.end_to_end.small import small_config
from tests.study.projects import REPOSITORY
from tests.training.tiny import tiny_config, write_people

SIZE = 1 << 26
"""Bytes, above what glibc's own threshold can grow to."""
FAULTS = f"""
import resource, sys
import torch
from poseur_lib.runtime import keep_freed_memory

print(keep_freed_memory(sys.argv[1]))
faults = []
for _ in range(16):
    torch.zeros({SIZE}, dtype=torch.uint8).add_(1)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[-6])
"""
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


def kept_and_faults(device_type: str, **environment: str) -> tuple[str, int]:
    clean = {name: value for name, value in os.environ.items() if name not in MALLOC_VARIABLES}
    command = [sys.executable, "-c", FAULTS, device_type]
    own = clean | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"} | environment
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    return kept, int(faults)


@glibc
def test_tensors_after_the_first_ones_fault_no_pages():
    kept, faults = kept_and_faults("cpu")
    assert kept == "True" and faults < SIZE / 4096 / 10


@glibc
def test_what_the_environment_sets_and_what_runs_on_a_gpu_is_left_alone():
    pages = SIZE / 4096
    for device_type, environment in (("cuda", {}), ("cpu", {"MALLOC_TRIM_THRESHOLD_": "131072"})):
        kept, faults = kept_and_faults(device_type, **environment)
        assert kept == "False" and (faults > pages or huge_pages())


def huge_pages() -> bool:
    """True where the kernel maps large pages unasked: there are few faults in any case."""
    with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="utf-8") as file:
        return "[always]" in file.read()


def asked_for() -> bool:
    return keep_freed_memory.cache_info().currsize == 1


def test_training_and_predicting_ask_for_it(tmp_path):
    data, config = write_people(tmp_path / "data", 8, 2), tiny_config()
    keep_freed_memory.cache_clear()
    train(config, tmp_path / "run", Runtime(data=data, device="cpu"))
    assert asked_for()
    people, runtime = CocoPeople(data, "val", COCO_17), InferenceRuntime(device="cpu")
    whole = small_config()
    for predict, own, given in ((predict_people, config, people.people()), (find_people, whole, people)):
        model = build_network(own)
        keep_freed_memory.cache_clear()
        predict(model, given, own, runtime)
        assert asked_for()
