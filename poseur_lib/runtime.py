"""How a run is computed: nothing here is part of what the run is."""

import ctypes
import importlib.util
import os
import platform
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal, get_args

import torch

from poseur_lib.errors import UserError, require_known

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["32", "16-mixed", "bf16-mixed"]
Compile = Literal["auto", "none", "graph", "inductor"]
DataOnDevice = Literal["auto", "yes", "no"]
LoggerName = Literal["none", "csv", "tensorboard", "wandb"]
DEVICES: tuple[str, ...] = get_args(Device)
PRECISIONS: tuple[str, ...] = get_args(Precision)
COMPILES: tuple[str, ...] = get_args(Compile)
DATA_ON_DEVICE: tuple[str, ...] = get_args(DataOnDevice)
LOGGERS: tuple[str, ...] = get_args(LoggerName)
NUMBERED_GPU = re.compile(r"cuda:\d{1,3}\Z")
AUTOCAST = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}
AUTO_ON_GPU: Compile = "none"
"""What `compile="auto"` is on a GPU: "graph", as soon as `tests/training/test_training_step.py` has passed on one."""

MALLOC_VARIABLES = ("GLIBC_TUNABLES", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""As glibc's `malloc.h` numbers them."""


@dataclass(frozen=True, kw_only=True)
class InferenceRuntime:
    """What predicting needs.

    Attributes:
        device: a GPU has a number, too, where there are several ("cuda:1").
        loader_workers: processes that read and crop, or draw what is cropped on the device; 0: this process does it.
        compile: how the network runs: "none", step by step; "graph", as one CUDA graph, which `predict_people` records
            on a GPU; "inductor", by torch.compile, which training does to the backbone and `optimise` to a model for
            inference, but `predict_people` never: it runs the model that it is given; "auto": the fastest that was
            found safe, see `AUTO_ON_GPU`.
        data_on_device: decoded images are kept in the device's memory and crops cut there; "auto": on a GPU
            that they fit on (`poseur_lib.data.device_images.goes_on_device`).

    Raises:
        UserError: an attribute has no such value.
    """

    device: str = "auto"
    precision: Precision = "32"
    loader_workers: int = 0
    compile: Compile = "auto"
    data_on_device: DataOnDevice = "auto"

    def __post_init__(self) -> None:
        require_known("device", [NUMBERED_GPU.sub("cuda", self.device)], DEVICES)
        require_known("precision", [self.precision], PRECISIONS)
        require_known("compile", [self.compile], COMPILES)
        require_known("data on device", [self.data_on_device], DATA_ON_DEVICE)

    @property
    def torch_device(self) -> torch.device:
        """The device of inference.

        Raises:
            UserError: a GPU is asked for and there is none, or float16 on a processor.
        """
        if self.device == "cpu" or (self.device == "auto" and not torch.cuda.is_available()):
            if self.precision == "16-mixed":
                raise UserError("precision '16-mixed' is for GPUs, and this is a processor: take 'bf16-mixed' or '32'")
            return torch.device("cpu")
        if self.device == "auto":
            return torch.device("cuda")
        if not torch.cuda.is_available():
            raise UserError(f"device {self.device!r} was asked for and torch finds no GPU")
        device = torch.device(self.device)
        if device.index is not None and device.index >= (found := torch.cuda.device_count()):
            raise UserError(f"device {self.device!r} was asked for and torch finds {found}, counted from 0")
        return device

    def on_device(self) -> AbstractContextManager[object]:
        """Within the block kernels that do not ask where their tensors are run on this GPU."""
        device = self.torch_device
        return torch.cuda.device(device) if device.type == "cuda" else nullcontext()

    @property
    def way(self) -> Compile:
        """What `compile` is on this device."""
        if self.compile != "auto":
            return self.compile
        return AUTO_ON_GPU if self.torch_device.type == "cuda" else "none"

    def inference_note(self, recordable: bool) -> str:
        """Why inference is not recorded as a CUDA graph though that was asked for, in a line; else "".

        Args:
            recordable: the model's.
        """
        if self.way != "graph" or (recordable and self.torch_device.type == "cuda"):
            return ""
        reason = "there is no GPU" if recordable else "the model waits for the processor in every pass"
        return f"inference runs step by step, not by graph: {reason}"


@dataclass(frozen=True, kw_only=True)
class Runtime(InferenceRuntime):
    """Device, processes and patience.

    Attributes:
        data: folder of the data set, in COCO's layout.
        devices: GPUs (or CPU processes) of one run, by Lightning's DDP.
        batch_per_device: people a device takes at once; gradients accumulate up to the configuration's global batch.
            None: as many as make the global batch without accumulation.
        threads: CPU threads of torch; None leaves them alone.
        limit_epochs: stop after so many epochs of the schedule; the run is then not finished.
        logger: what else than curve.json gets the losses and measurements (`poseur_lib.training.loggers`).
        safetensors: the trained model is written as model.safetensors, too.
        image_cache_bytes: decoded images kept in memory by each reading process.

    Raises:
        UserError: an attribute has no such value, or the logger's package is not installed.
    """

    data: Path
    devices: int = 1
    batch_per_device: int | None = None
    threads: int | None = None
    limit_epochs: int | None = None
    progress: bool = False
    logger: LoggerName = "none"
    safetensors: bool = False
    image_cache_bytes: int = 2**30
    memory_format: ClassVar[torch.memory_format] = torch.channels_last
    """Of the weights of convolutions in training: tensor cores and oneDNN read channels innermost."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_known("device", [self.device], DEVICES)
        require_known("logger", [self.logger], LOGGERS)
        if self.logger in ("tensorboard", "wandb") and importlib.util.find_spec(self.logger) is None:
            raise UserError(f"logger {self.logger}: the package is not installed: pip install {self.logger}")

    def split_batch(self, global_batch: int, knobs: str = "train") -> tuple[int, int]:
        """People per device and step of the loop, and the number of such steps per optimiser step.

        Args:
            knobs: what the configuration's part with the global batch is called.

        Raises:
            UserError: the global batch cannot be split evenly.
        """
        per_device = self.batch_per_device or global_batch // self.devices
        if per_device < 1 or global_batch % (per_device * self.devices):
            raise UserError(
                f"{knobs}.global_batch {global_batch} is no multiple of {self.devices} devices x {per_device} people"
            )
        return per_device, global_batch // (per_device * self.devices)


@cache
def keep_freed_memory(device_type: str) -> bool:
    """On a processor, let this process keep what memory it frees for its next tensors; True if it does from now on.

    glibc hands large tensors back to the kernel, which maps and clears the same pages again at every step: in a
    virtual machine half of the processor's time. The price is that the process stays as large as it once was. Nothing
    is changed where the environment sets one of `MALLOC_VARIABLES`, or where the C library is another.
    """
    if device_type != "cpu" or platform.libc_ver()[0] != "glibc" or not os.environ.keys().isdisjoint(MALLOC_VARIABLES):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, -1))


def wait_for(device: torch.device | str) -> None:
    """Until a GPU has done all that it was given; a processor has."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def device_name(device: str) -> str:
    """The accelerator's name for "cuda" (or "auto" with one), else the processor's."""
    if device != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return processor_name()


def processor_name() -> str:
    """The processor's model name as Linux prints it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
