"""Train a model, or pretrain a backbone, in a folder: resumes there, and ends with the weights in it.

`poseur_lib.training.folder` does both, with the configuration beside the weights.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from poseur_lib.checkpoints.checkpoint import read_weights, require_state, save_weights
from poseur_lib.checkpoints.initial import load_initial
from poseur_lib.checkpoints.recorded import damaged
from poseur_lib.checkpoints.safetensors_file import write_safetensors
from poseur_lib.config.data import Split
from poseur_lib.config.experiment import ExperimentConfig, PretextRunConfig
from poseur_lib.config.training import CosineSchedule, PretextConfig, TrainConfig
from poseur_lib.data.batches import Loader, people_batches, reading
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.crop import CropRule
from poseur_lib.data.dataset import PoseBatch, PoseCrops
from poseur_lib.data.part_labels import has_part_labels
from poseur_lib.data.parts import PartCrops
from poseur_lib.data.whole_images import WholeImages, labelled_images
from poseur_lib.errors import UserError
from poseur_lib.evaluation.ap import evaluate_predictions
from poseur_lib.evaluation.inference import inference_batches, predict_people
from poseur_lib.evaluation.metrics import summarise
from poseur_lib.evaluation.oks import mean_oks
from poseur_lib.evaluation.whole_images import find_people, poses_in_boxes
from poseur_lib.files import BACKBONE_FILE, CURVE_FILE, LAST_CHECKPOINT, MODEL_FILE, SAFE_FILE, atomic_file
from poseur_lib.keypoints import keypoint_set
from poseur_lib.models.backbones import build_backbone
from poseur_lib.models.build import build_network
from poseur_lib.models.end_to_end.model import EndToEndModel
from poseur_lib.models.pose_model import LossTerms, PoseModel, PoseTargets
from poseur_lib.runtime import Runtime, keep_freed_memory
from poseur_lib.training.batches import training_batches, whole_image_batches
from poseur_lib.training.curve import Curve, read_curve
from poseur_lib.training.loop import TrainingLoop, run_loop
from poseur_lib.training.pretext import PartSegmentation, mean_part_iou, part_loss

IOU_PEOPLE, IOU_BATCH = 300, 64


def train(
    config: ExperimentConfig,
    run_dir: Path,
    runtime: Runtime,
    pretext_weights: Path | None = None,
    initial: Path | None = None,
) -> Curve:
    """Trains a model from the last checkpoint in `run_dir`, if there is one, and writes `model.pt` at the end.

    Where that is there already, it is never trained again.

    Args:
        pretext_weights: `backbone.pt` of `config.pretext_run`, where there is one.
        initial: the checkpoint of `config.initial_sha256`, or its run's folder, where there is one.

    Raises:
        UserError: the data cannot be used, weights to start from do not fit, what is in `run_dir` is damaged, or the
            loss is not finite.
    """
    _prepare(run_dir, runtime)
    model_file, safe_file = run_dir / MODEL_FILE, run_dir / SAFE_FILE
    if (trained := _trained(run_dir, config)) is not None:
        if runtime.safetensors and not safe_file.exists():
            with atomic_file(safe_file) as file:
                write_safetensors(file, read_weights(model_file))
        return trained
    keypoints = keypoint_set(config.data.keypoint_set)
    torch.manual_seed(config.seed)
    model = build_network(config)
    if config.pretext is not None:
        body = model.backbone.body if isinstance(model, EndToEndModel) else model.backbone
        load_backbone(body, pretext_weights, config)
    if config.initial_sha256 is not None and not (run_dir / LAST_CHECKPOINT).exists():
        load_initial(model, initial, config)
    people = CocoPeople(runtime.data, "train", keypoints)
    judged = CocoPeople(runtime.data, config.evaluation.split, keypoints)
    with ExitStack() as ending:
        if isinstance(model, EndToEndModel):
            parts = _of_whole_images(model, config, people, judged, runtime)
        else:
            parts = _of_crops(model, config, people, judged, runtime, ending)
        loop = TrainingLoop(
            network=model,
            config=config.train,
            run=config,
            seed=config.seed,
            measure_every=config.evaluation.curve_every,
            last_checkpoint=run_dir / LAST_CHECKPOINT,
            generated_data=people.generated,
            **parts,
        )
        curve = run_loop(loop, runtime)
    if len(curve) == config.train.epochs and loop.global_rank == 0:  # processors' batch norms differ between ranks
        for file in [safe_file] * runtime.safetensors + [model_file]:  # the last says that all is there
            save_weights(file, loop.trained, config, people.generated)
    loop.trainer.strategy.barrier()  # the others' next step may read it
    return curve


def _of_crops(
    model: PoseModel,
    config: ExperimentConfig,
    people: CocoPeople,
    judged: CocoPeople,
    runtime: Runtime,
    ending: ExitStack,
) -> dict[str, Any]:
    """What `TrainingLoop` needs of people who are cut out."""
    dataset = PoseCrops(
        people.people(),
        people.keypoints,
        config.data.input_size,
        model.head.crop_rule,
        config.train.augment,
        config.seed,
        runtime.image_cache_bytes,
    )
    return {
        "loss_of": partial(pose_loss, supervise_outside_crop=config.train.supervise_outside_crop),
        "batches": training_batches(dataset, config.train, config.seed, runtime),
        "measure": pose_measure(config, judged, runtime, ending),
        "slow": tuple(model.head.slow_parameters()),
        "unreached": tuple(model.unreached_parameters()),
    }


def _of_whole_images(
    model: EndToEndModel, config: ExperimentConfig, people: CocoPeople, judged: CocoPeople, runtime: Runtime
) -> dict[str, Any]:
    """The same of whole images; those without a labelled keypoint are left out, as in Detectron2."""
    people.require_people()
    whole = config.data.whole_image
    assert whole is not None  # as the configuration was validated
    images = labelled_images(people, with_keypoints=True, pixel_centre=whole.pixel_centre)
    dataset = WholeImages(
        images,
        people.keypoints,
        whole,
        config.data.input_size,
        config.seed,
        people.label_frame,
        runtime.image_cache_bytes,
    )
    return {
        "loss_of": lambda network, batch: network.loss(batch),
        "batches": whole_image_batches(dataset, config.train, config.seed, runtime),
        "measure": whole_image_measure(config, judged, runtime),
        "slow": tuple(model.slow_parameters()),
    }


def pretrain(config: PretextRunConfig, run_dir: Path, runtime: Runtime) -> Curve:
    """Trains a backbone on part segmentation and writes `backbone.pt` at the end; resumes as `train` does.

    Raises:
        UserError: the data set has no label maps (`parts_{split}2017`).
    """
    _prepare(run_dir, runtime)
    torch.manual_seed(config.pretext.seed)
    backbone = build_backbone(config.backbone, config.data.input_size)
    recipe, crops = _pretext_recipe(config.pretext), _part_crops(config, "train", runtime)
    with ExitStack() as ending:
        loop = TrainingLoop(
            network=PartSegmentation(backbone),
            loss_of=part_loss,
            batches=training_batches(crops, recipe, config.pretext.seed, runtime, "pretext"),
            config=recipe,
            run=config,
            seed=config.pretext.seed,
            measure=part_measure(_part_crops(config, "val", runtime), runtime, ending),
            measure_every=1,
            last_checkpoint=run_dir / LAST_CHECKPOINT,
        )
        curve = run_loop(loop, runtime)
    if len(curve) == config.pretext.epochs and loop.global_rank == 0:
        save_weights(run_dir / BACKBONE_FILE, backbone, config)
    loop.trainer.strategy.barrier()
    return curve


def pose_loss(model: PoseModel, batch: PoseBatch, *, supervise_outside_crop: bool = False) -> LossTerms:
    """The model's loss on a batch of crops, over the labelled keypoints inside the crop, or over all labelled ones."""
    supervised = batch.visibility > 0 if supervise_outside_crop else batch.inside
    return model.loss(batch.images, PoseTargets(batch.keypoints, supervised))


def pose_measure(
    config: ExperimentConfig, people: CocoPeople, runtime: Runtime, ending: ExitStack
) -> Callable[[PoseModel], dict[str, float]]:
    """What the learning curve is measured on: the first people of the evaluated split, by ground-truth boxes.

    Mean OKS and AP of a model in training, without flip test and OKS-NMS.

    Args:
        ending: at whose end the processes that read the people end.
    """
    plain = config.with_changes(**{"evaluation.flip_test": False})
    first = people.people()[: config.evaluation.curve_people]
    part = people.on_images({person.image_id for person in first})
    measured = part.people()

    @cache  # not before it is asked for: of several processes, only the first one measures
    def batches(rule: CropRule) -> Loader:
        made = inference_batches(measured, plain, rule, runtime, cache_bytes=runtime.image_cache_bytes)
        return ending.enter_context(reading(made))

    def measure(model: PoseModel) -> dict[str, float]:
        predictions = predict_people(model, measured, plain, runtime, batches=batches(model.head.crop_rule))
        return {
            "mean_oks": mean_oks(predictions, measured, people.keypoints),
            "ap": summarise(evaluate_predictions(part, predictions, plain, nms=False)).AP,
        }

    return measure


def whole_image_measure(
    config: ExperimentConfig, people: CocoPeople, runtime: Runtime
) -> Callable[[EndToEndModel], dict[str, float]]:
    """The same of an end-to-end model: AP in its own boxes, and mean OKS of its poses in ground-truth boxes."""
    plain = config.with_changes(**{"evaluation.flip_test": False})
    first = people.people()[: config.evaluation.curve_people]
    part = people.on_images({person.image_id for person in first})
    measured = part.people()

    def measure(model: EndToEndModel) -> dict[str, float]:
        own = find_people(model, part, plain, runtime)
        in_boxes = poses_in_boxes(model, measured, plain, runtime)
        return {
            "mean_oks": mean_oks(in_boxes, measured, people.keypoints),
            "ap": summarise(evaluate_predictions(part, own, plain)).AP,
        }

    return measure


def part_measure(
    crops: PartCrops, runtime: Runtime, ending: ExitStack
) -> Callable[[PartSegmentation], dict[str, float]]:
    """What a pretext's learning curve is measured on: intersection over union on the first people.

    Args:
        ending: at whose end the processes that read them end.
    """
    crops.people = crops.people[:IOU_PEOPLE]

    @cache  # not before it is asked for: of several processes, only the first one measures
    def batches() -> Loader:
        return ending.enter_context(reading(people_batches(crops, IOU_BATCH, runtime)))

    return lambda network: {"part_iou": mean_part_iou(network, batches(), runtime.torch_device)}


def load_backbone(backbone: nn.Module, path: Path | None, config: ExperimentConfig) -> None:
    """Puts a pretext run's weights into a backbone.

    Raises:
        UserError: no file is given, or it is another run's.
    """
    if path is None:
        raise UserError("model.backbone.weights is 'pretext' and no pretext weights are given")
    content = read_weights(path)
    made_by = PretextRunConfig.model_validate_json(content["config"])
    if made_by != config.pretext_run:
        raise UserError(f"{path} was made by another pretext run than this configuration asks for")
    own = backbone.state_dict()  # frozen batch norms do not count batches
    state = {name: x for name, x in content["state_dict"].items() if name in own or "num_batches_tracked" not in name}
    require_state(state, own, f"{path}: weights and configuration do not fit")
    backbone.load_state_dict(state)


def _trained(run_dir: Path, config: ExperimentConfig) -> Curve | None:
    """The curve of a training that has ended; None where it is to be ended from `last.ckpt`, or begun."""
    model, curve, last = (run_dir / name for name in (MODEL_FILE, CURVE_FILE, LAST_CHECKPOINT))
    if not model.exists() or not curve.exists():
        return None
    if problem := damaged(model):
        raise UserError(problem)
    if not config.is_written_as(read_weights(model)["config"]):
        return None
    try:
        return read_curve(curve)
    except UserError as error:
        if last.exists():  # the curve is in it
            return None
        raise UserError(f"{error}; {last.name}, which has it too, is gone: delete {curve} to train anew") from None


def _prepare(run_dir: Path, runtime: Runtime) -> None:
    run_dir.mkdir(parents=True, exist_ok=True)
    if runtime.threads is not None:
        torch.set_num_threads(runtime.threads)
    keep_freed_memory(runtime.torch_device.type)


def _pretext_recipe(pretext: PretextConfig) -> TrainConfig:
    return TrainConfig(
        epochs=pretext.epochs,
        people_per_epoch=pretext.people_per_epoch,
        global_batch=pretext.global_batch,
        learning_rate=pretext.learning_rate,
        weight_decay=pretext.weight_decay,
        schedule=CosineSchedule(),
        warmup_steps=0,
        augment=pretext.augment,
    )


def _part_crops(config: PretextRunConfig, split: Split, runtime: Runtime) -> PartCrops:
    if not runtime.data.is_dir():
        raise UserError(f"{runtime.data}: no such data set folder")
    if not has_part_labels(runtime.data, split):
        raise UserError(
            f"{runtime.data} has no part labels (parts_{split}2017): the pretext needs generated people with parts"
        )
    keypoints = keypoint_set(config.data.keypoint_set)
    return PartCrops(
        CocoPeople(runtime.data, split, keypoints).people(),
        keypoints,
        config.data.input_size,
        CropRule(),
        config.pretext.augment if split == "train" else None,
        config.pretext.seed,
        runtime.image_cache_bytes,
    )
