"""Ways to infer that give the same keypoints: what each gains over the plain model."""

import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.head import poseur
from benchmarks.timing import Extras, Run, Setting, compared, times_ms
from poseur_lib.models.optimise import InferenceOptions, optimise
from poseur_lib.models.pose_model import PoseModel
from poseur_study.costs.benchmark_record import Comparison

OPTIONS = {
    "channels_last": InferenceOptions(channels_last=True),
    "batch norms folded": InferenceOptions(fold_batch_norms=True),
    "both": InferenceOptions(fold_batch_norms=True, channels_last=True),
    "both, compiled": InferenceOptions(fold_batch_norms=True, channels_last=True, compile=True),
}
ONNX = "onnxruntime"


def compare(setting: Setting) -> Iterator[Comparison]:
    """Poseur on ResNet-50 with six decoder layers, from crops to keypoints."""
    model = poseur(setting.device)
    for batch in setting.batches:
        images = torch.randn(batch, 3, 256, 192, device=setting.device)
        with torch.inference_mode():
            runs, notes = _alternatives(model, images, setting.compile)
            times = times_ms(runs, setting)
        yield compared(f"Inference options, batch {batch}", times, "plain", Extras(notes=notes))


def runtime_versions() -> dict[str, str]:
    """Version of what the options need beside torch."""
    try:
        return {ONNX: version(ONNX)}
    except PackageNotFoundError:
        return {ONNX: "absent"}


def _alternatives(model: PoseModel, images: Tensor, wait: bool) -> tuple[dict[str, Run], dict[str, str]]:
    """What can be run here, and a note on what cannot; `wait` for torch.compile."""
    runs: dict[str, Run] = {"plain": lambda: model(images)}
    notes = {}
    for name, options in OPTIONS.items():
        if options.compile and not wait:
            notes[name] = "takes minutes: --compile"
            continue
        found = optimise(model, images, options)
        if found.failed:
            notes[name] = "; ".join(found.failed)
        else:
            runs[name] = lambda changed=found.model: changed(images)
    try:
        runs[ONNX] = _onnx(model, images)
    except Exception as error:  # an optional package; whatever is wrong is told in the table
        notes[ONNX] = f"not run: {error}".splitlines()[0]
    return runs, notes


def _onnx(model: PoseModel, images: Tensor) -> Run:
    import onnxruntime

    from poseur_lib.checkpoints.onnx import INPUT, export_onnx

    if images.is_cuda:
        raise RuntimeError("onnxruntime's CPU package has no GPU")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode(False):
        path = Path(folder) / "model.onnx"
        export_onnx(model, path, tuple(images.shape[2:]), batch=len(images))
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    feed = {INPUT: images.numpy()}
    return lambda: session.run(None, feed)
