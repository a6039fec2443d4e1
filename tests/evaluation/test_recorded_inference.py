"""A recorded pass gives a batch's poses, whatever the batch's size; one that does not is refused."""

import weakref
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from poseur_lib.data.coco import CocoPeople
from poseur_lib.evaluation import inference
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.recorded_inference import RecordedInference
from poseur_lib.keypoints import COCO_17
from poseur_lib.runtime import InferenceRuntime
from tests.models.test_pose_model import HEADS, model_of
from tests.training.tiny import tiny_config, write_people


class Recorder:
    """Stands for a CUDA graph: a replay does the same again on the same tensors."""

    def __init__(self, wrong: float = 0.0) -> None:
        self.recorded, self.replayed, self.wrong = 0, 0, wrong

    def __call__(self, function):
        function()
        self.recorded += 1
        return lambda: self.replay(function)

    def replay(self, function):
        self.replayed += 1
        function()


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("name", HEADS)
@torch.inference_mode()
def test_poses_are_those_of_the_plain_pass(name, flip):
    model, recorder = model_of(name).eval(), Recorder()
    predict = model.predict_flipped if flip else model
    recorded = RecordedInference(recorder)
    for people in (3, 4, 3, 1, 1):  # 3 is filled up to 4, and 1 is recorded when it comes again
        images = torch.randn(people, 3, 64, 48, generator=torch.Generator().manual_seed(people))
        found, expected = recorded(predict, images, torch.float32), predict(images)
        torch.testing.assert_close(found.keypoints, expected.keypoints, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found.keypoint_scores, expected.keypoint_scores, atol=1e-5, rtol=1e-5)
        assert (found.sigma is None) == (expected.sigma is None)
    assert recorder.recorded == 2 and recorder.replayed == 5  # each recording is replayed once to be compared


@torch.inference_mode()
def test_weights_elsewhere_are_recorded_anew_and_changed_in_place_are_used():
    model, recorder = model_of("poseur").eval(), Recorder()
    recorded, images = RecordedInference(recorder), torch.randn(2, 3, 64, 48)
    recorded.follow(model)
    for _ in range(2):
        first = recorded(model, images, torch.float32)
    with torch.no_grad():
        model.head.decoder.branches[-1].step[-1].bias.add_(1)
    torch.testing.assert_close(recorded(model, images, torch.float32).keypoints, model(images).keypoints)
    assert recorder.recorded == 1 and not torch.equal(first.keypoints, model(images).keypoints)
    model.load_state_dict({key: value.clone() for key, value in model.state_dict().items()}, assign=True)
    recorded.follow(model)
    for _ in range(2):
        recorded(model, images, torch.float32)
    assert recorder.recorded == 2


@torch.inference_mode()
def test_what_a_recording_reads_stays_where_it_is_while_other_sizes_come():
    """A CUDA graph reads memory by its address."""
    model, recorded, places = model_of("poseur").eval(), RecordedInference(Recorder()), []
    for size in ((64, 48), (64, 48), (96, 64), (96, 64)):
        recorded(model, torch.randn(2, 3, *size), torch.float32)
        places.append([weakref.ref(one.place) for one in model.head.memory_embedding._pyramids.values()])
    assert len(recorded._seen) == 2 and places[-1][0]() is places[1][0]() is not None


@torch.inference_mode()
def test_what_differs_from_the_plain_pass_is_refused_once(capsys):
    model = model_of("poseur").eval()

    def with_other_weights(function):
        function()

        def replay():
            model.head.decoder.branches[-1].step[-1].bias.add_(1)
            function()

        return replay

    recorded, images = RecordedInference(with_other_weights), torch.randn(2, 3, 64, 48)
    for _ in range(4):
        found = recorded(model, images, torch.float32)
        assert torch.equal(found.keypoints, model(images).keypoints)
    said = capsys.readouterr().err
    assert said.count("inference runs step by step, not as a CUDA graph: its keypoints are") == 1


@torch.inference_mode()
def test_a_recording_of_nothing_is_refused(capsys):
    """As of another GPU's stream: the pass that was to be recorded is done at once, and its poses are there."""
    model = model_of("poseur").eval()

    def of_nothing(function):
        function()
        return lambda: None

    recorded, images = RecordedInference(of_nothing), torch.randn(2, 3, 64, 48)
    for _ in range(2):
        recorded(model, images, torch.float32)
    other = torch.randn(2, 3, 64, 48)
    assert torch.equal(recorded(model, other, torch.float32).keypoints, model(other).keypoints)
    assert "not as a CUDA graph: its keypoints are nan away" in capsys.readouterr().err


@torch.inference_mode()
def test_a_recording_is_compared_with_a_pass_of_its_own_size():
    """Kernels depend on the size; where they round otherwise, an ambiguous keypoint may be anywhere."""
    model, recorder = model_of("poseur").eval(), Recorder()

    def of_its_size(images):
        pose = model(images)
        return replace(pose, keypoints=pose.keypoints + 0.01 * len(images))

    recorded, images = RecordedInference(recorder), torch.randn(3, 3, 64, 48)
    for _ in range(2):
        found = recorded(of_its_size, images, torch.float32)
    torch.testing.assert_close(found.keypoints, model(images).keypoints + 0.04)


@torch.no_grad()
def test_a_recorded_pass_casts_weights_once_for_image_and_mirror_image():
    model = model_of("poseur").eval()
    weights = {parameter.data_ptr() for parameter in model.parameters()}
    casts: Counter[int] = Counter()

    class Casts(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            if function is torch.ops.aten._to_copy.default and args[0].data_ptr() in weights:
                casts[args[0].data_ptr()] += 1
            return function(*args, **(kwargs or {}))

    recorded, images = RecordedInference(Recorder()), torch.randn(2, 3, 64, 48)
    for _ in range(2):
        recorded(model.predict_flipped, images, torch.bfloat16)
    with Casts():
        recorded(model.predict_flipped, images, torch.bfloat16)
    again = [count for count in casts.values() if count > 1]  # of products that are none of layers
    assert len(casts) > 30 and len(again) < 5


def test_compiled_models_see_few_sizes(tmp_path):
    """torch compiles for each size, and runs step by step after some."""
    people = CocoPeople(write_people(tmp_path / "data", train=1, val=8), "val", COCO_17).people()
    config, model = tiny_config(**{"evaluation.batch": 3, "evaluation.flip_test": False}), model_of("poseur")
    expected = predict_people(model, people, config, InferenceRuntime(device="cpu"))
    sizes = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    found = predict_people(model, people, config, InferenceRuntime(device="cpu", compile="inductor"))
    assert sizes == [4, 4, 2]
    torch.testing.assert_close(torch.tensor(found.keypoints), torch.tensor(expected.keypoints), atol=1e-5, rtol=1e-5)


def test_people_of_a_data_set_are_predicted_by_recordings(tmp_path, monkeypatch):
    people = CocoPeople(write_people(tmp_path / "data", train=1, val=7), "val", COCO_17).people()
    config, model = tiny_config(**{"evaluation.batch": 2}), model_of("poseur")
    runtime = InferenceRuntime(device="cpu", compile="graph")
    expected = predict_people(model, people, config, runtime)
    recorded = RecordedInference(Recorder())
    monkeypatch.setattr(inference, "recordings", lambda *_: recorded)
    found = predict_people(model, people, config, runtime)
    assert recorded._capture.replayed >= 2
    torch.testing.assert_close(torch.tensor(found.keypoints), torch.tensor(expected.keypoints), atol=1e-5, rtol=1e-5)


def test_people_are_predicted_on_the_gpu_that_is_asked_for(tmp_path, monkeypatch):
    """A recording is of what runs on the current one."""
    people = CocoPeople(write_people(tmp_path / "data", train=1, val=2), "val", COCO_17).people()
    model, on = model_of("poseur"), []

    @contextmanager
    def on_device(runtime):
        on.append(runtime.device)
        yield
        on.pop()

    monkeypatch.setattr(InferenceRuntime, "on_device", on_device)
    passes = []
    model.backbone.register_forward_pre_hook(lambda *_: passes.append([*on]))
    predict_people(model, people, tiny_config(), InferenceRuntime(device="cpu"))
    assert passes == [["cpu"]] * len(passes) != [] and on == []


def test_what_stands_against_recording(monkeypatch):
    for compile in ("auto", "none", "inductor"):
        assert InferenceRuntime(device="cpu", compile=compile).inference_note(True) == ""
    asked = InferenceRuntime(device="cpu", compile="graph")
    assert asked.inference_note(True) == "inference runs step by step, not by graph: there is no GPU"
    monkeypatch.setattr(InferenceRuntime, "torch_device", torch.device("cuda"))
    assert asked.inference_note(True) == ""
    waits = "inference runs step by step, not by graph: the model waits for the processor in every pass"
    assert asked.inference_note(False) == waits and inference.recordings(model_of("prtr"), asked) is None
