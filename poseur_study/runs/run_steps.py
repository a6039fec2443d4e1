"""What the notebook of a run does, step by step: open, train, evaluate, write the record."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from poseur_lib.checkpoints.checkpoint import trained_network
from poseur_lib.config import ExperimentConfig
from poseur_lib.data.coco import CocoPeople, Person, detection_path
from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.metrics import summarise
from poseur_lib.evaluation.oks import mean_oks
from poseur_lib.evaluation.strata import evaluate_strata
from poseur_lib.evaluation.whole_images import find_people, poses_in_boxes
from poseur_lib.files import BACKBONE_FILE, LAST_CHECKPOINT
from poseur_lib.models.backbones.imagenet_file import starting_weights
from poseur_lib.models.build import Network
from poseur_lib.models.end_to_end.model import EndToEndModel
from poseur_lib.runtime import Runtime, device_name
from poseur_lib.scoring.instance import require_factors
from poseur_lib.training.curve import Curve, number_words, numbers_of
from poseur_lib.training.fit import pretrain, train
from poseur_study.experiments.notebook_parameters import RunSettings
from poseur_study.experiments.profiles import Profile, profile
from poseur_study.runs import provenance
from poseur_study.runs.datasets import DataSet, open_data, pretext_data
from poseur_study.runs.ddp import train_on_devices
from poseur_study.runs.evaluation_file import RunEvaluation
from poseur_study.runs.evaluation_of_predictions import run_evaluation
from poseur_study.runs.heartbeat import die_with_parent_in_batch
from poseur_study.runs.plan import PlannedRun, planned_experiment, planned_pretext, require_named_keypoints
from poseur_study.runs.predictions import Predictions, as_stored
from poseur_study.runs.project import below_root
from poseur_study.runs.record import PARTIAL_FOLDER, BoxMetrics, Record, StratumRow, finite, write_record
from poseur_study.runs.resources import SPENT_FILE, EnergyMeter, Spent, noted, spent_before
from poseur_study.runs.run_id import run_hash
from poseur_study.runs.store import RunStore


@dataclass(frozen=True)
class Run:
    """A run that is to be made, or is there already.

    Attributes:
        finished: the record, if the run was done when it was opened: it is never trained again, but for pretraining
            whose weights are gone, which gets a new record.
        opened_at: by `time.monotonic`.
        code: commit of the checkout when it was opened, and whether that had changes.
        energy: what counts its energy; None where nothing of it is recorded.
        before: what earlier attempts took that this one goes on from.
    """

    planned: PlannedRun
    profile: Profile
    data: DataSet
    store: RunStore
    settings: RunSettings
    opened_at: float
    code: tuple[str, bool]
    finished: Record | None = None
    energy: EnergyMeter | None = None
    before: Spent = field(default_factory=Spent)

    @property
    def spent(self) -> Spent:
        """Wall time, energy and commits so far, over all attempts."""
        joules = None if self.energy is None else self.energy.joules()
        commit, dirty = self.code
        return self.before + Spent(time.monotonic() - self.opened_at, joules, (commit,), dirty)

    @property
    def folder(self) -> Path:
        """Where it is stored."""
        return self.store.path(self.planned.run_id)

    @property
    def runtime(self) -> Runtime:
        """How to compute."""
        names = {"device", "devices", "precision", "loader_workers", "compile", "data_on_device", "progress"}
        given = self.settings.model_dump(include=names)
        limits = {"threads": self.settings.threads or None, "limit_epochs": self.settings.limit_epochs or None}
        return Runtime(data=self.data.root, **given, **limits)


@dataclass(frozen=True)
class Measured:
    """What a run's predictions are worth, and what that was computed from; nothing for pretraining."""

    metrics: tuple[BoxMetrics, ...] = ()
    strata: tuple[StratumRow, ...] = ()
    evaluation: RunEvaluation | None = None


def open_run(settings: RunSettings, pretext: bool = False) -> Run:
    """The experiment that a notebook's parameters name, or the pretraining run behind it.

    Raises:
        UserError: the batch expected another run: profile, data or package differ from what it planned with; or the
            keypoints are one's own.
    """
    die_with_parent_in_batch()
    code = provenance.git_state()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    size = profile(settings.profile)
    asked = size.experiment(settings.seed, settings.overrides)
    require_named_keypoints(asked)
    data = open_data(size, settings.data, settings.progress, asked.data.keypoints_name)
    planned = planned_experiment(size, settings.overrides, settings.seed, data.fingerprint, data.learnt_from)
    if pretext:
        own = settings.overrides, settings.seed, data.fingerprint, data.learnt_from
        parent = planned_pretext(planned.config, *own)
        if parent is None:
            raise UserError(f"profile {size.name!r} has no pretraining: its backbone starts from elsewhere")
        planned = parent
        if data.learnt_from is not None:
            data = open_data(size, pretext_data(size, settings.data), settings.progress)
    if settings.run_id not in ("", planned.run_id):
        raise UserError(f"run_id {settings.run_id!r} was expected, the parameters and the data give {planned.run_id!r}")
    store = RunStore(below_root(settings.runs) / size.name)
    done = planned.done_in(store.recorded_state(planned.run_id))
    record = store.record(planned.run_id) if done else None
    before = spent_before(store.path(planned.run_id))
    energy = None if done else EnergyMeter()
    return Run(planned, size, data, store, settings, time.monotonic(), code, record, energy, before)


def open_pretext(settings: RunSettings) -> Run:
    """The pretraining run behind the experiment that a notebook's parameters name."""
    return open_run(settings, pretext=True)


def train_run(run: Run) -> Curve:
    """Train to the end, from the last checkpoint if there is one; a finished run gives its recorded curve.

    Raises:
        UserError: the boxes that it will be judged in cannot be used, which is asked before it trains; or see `train`.
    """
    if run.finished is not None:
        return run.finished.curve
    config = run.planned.config
    if isinstance(config, ExperimentConfig):
        boxes = detections(run)
        rule, path = config.evaluation.instance_score, detection_path(run.data.root, config.evaluation.split)
        require_factors(np.array([one.bbox_score for one in boxes]), rule, str(path))
    run.folder.mkdir(parents=True, exist_ok=True)
    backbone = _pretext_weights(run)
    with noted(run.folder, lambda: run.spent):
        if run.runtime.devices > 1:
            return train_on_devices(config, run.folder, run.runtime, backbone)
        if isinstance(config, ExperimentConfig):
            return train(config, run.folder, run.runtime, backbone)
        return pretrain(config, run.folder, run.runtime)


def predict_run(run: Run) -> Predictions:
    """Predictions for ground-truth boxes, and for detector boxes where there are any, as they will be stored."""
    if run.finished is not None:
        return run.store.load(run.planned.run_id).predictions
    model = trained_network(run.folder, run.planned.config)
    with noted(run.folder, lambda: run.spent):
        return predict_by_boxes(run, model)


def predict_by_boxes(run: Run, model: Network) -> Predictions:
    """A model's predictions for each kind of boxes that there are, as they will be stored.

    An end-to-end model is its own detector.
    """
    if isinstance(model, EndToEndModel):
        people, config = evaluated_people(run), run.planned.config
        in_boxes = poses_in_boxes(model, people.people(), config, run.runtime)
        own = find_people(model, people, config, run.runtime)
        return {BoxSource.GROUND_TRUTH: as_stored(in_boxes), BoxSource.DETECTOR: as_stored(own)}
    masses, config = model.head.flow_masses(), run.planned.config
    sources = {BoxSource.GROUND_TRUTH: evaluated_people(run).people(), BoxSource.DETECTOR: detections(run)}
    return {
        source: as_stored(replace(predict_people(model, people, config, run.runtime), flow_masses=masses))
        for source, people in sources.items()
        if people
    }


def evaluated_people(run: Run) -> CocoPeople:
    """The split that the run is judged on."""
    return run.data.split(run.planned.config.evaluation.split)


def detections(run: Run) -> Sequence[Person]:
    """The detector's boxes of the evaluated split; none where the data set has no detector file."""
    people = evaluated_people(run)
    return people.detections() if detection_path(run.data.root, people.split).exists() else ()


def measure_run(run: Run, predictions: Predictions) -> Measured:
    """AP and AR per box source, and by difficulty; PCKh of people with head boxes."""
    return measure(evaluated_people(run), predictions, run.planned.config)


def measure(people: CocoPeople, predictions: Predictions, config: ExperimentConfig) -> Measured:
    """As `measure_run`, of predictions for people of the split they were made for."""
    evaluation = run_evaluation(people, predictions, config)
    similarity = mean_oks(predictions[BoxSource.GROUND_TRUTH], people.people(), people.keypoints)
    return metrics_of(evaluation, similarity)


def metrics_of(evaluation: RunEvaluation, mean_oks: float | None) -> Measured:
    """Metrics and strata of what is kept of a run; the mean OKS is that of the poses at ground-truth boxes."""
    metrics, by_stratum = [], []
    for source, of_source in evaluation.boxes.items():
        matching = evaluation.matching(source)
        rows = [finite(asdict(row)) for row in evaluate_strata(matching)]
        by_stratum += [StratumRow(boxes=source, **row) for row in rows]
        own = source == BoxSource.GROUND_TRUTH
        hits = None if evaluation.pckh is None or not own else float(evaluation.pckh.weighted()[0])
        numbers = finite({**asdict(summarise(matching)), "mean_oks": mean_oks if own else None, "Mean": hits})
        metrics.append(BoxMetrics(boxes=source, n_people=len(of_source.rank), **numbers))
    return Measured(tuple(metrics), tuple(by_stratum), evaluation)


def write_run(
    run: Run, curve: Curve, predictions: Predictions | None = None, measured: Measured | None = None
) -> Record:
    """Write the record, the run's last step; a limited run's goes into a folder of its own and finishes nothing."""
    if run.finished is not None:
        return run.finished
    measured = measured or Measured()
    record = record_of(run, curve, len(curve), measured)
    if record.partial:
        return write_record(run.folder / PARTIAL_FOLDER, record, predictions or {}, measured.evaluation)
    written = write_record(run.folder, record, predictions or {}, measured.evaluation)
    for name in (LAST_CHECKPOINT, SPENT_FILE):
        (run.folder / name).unlink(missing_ok=True)
    return written


def record_of(run: Run, curve: Curve, epochs: int, measured: Measured, **origin: Any) -> Record:
    """The record of a run that ends now, before its predictions are stored.

    Args:
        origin: what its provenance says otherwise than a run that was trained here.
    """
    planned, data, spent = run.planned, run.data, run.spent
    *earlier, commit = spent.commits
    made = {
        "commit": commit,
        "dirty": spent.dirty,
        "earlier_commits": tuple(earlier),
        "python": provenance.platform.python_version(),
        "versions": provenance.package_versions(),
        "device": device_name(run.settings.device),
        "cpu_count": provenance.cpu_count(),
        "threads": torch.get_num_threads(),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_seconds": round(spent.seconds, 1),
        "train_seconds": round(curve[-1].seconds, 1) if curve else 0.0,
        "joules": spent.joules,
        "machine": provenance.machine_digest(),
        "computed": _computed(curve, run.settings.precision),
        "profile": run.profile.name,
        "data_name": data.root.name,
        "data_fingerprint": data.fingerprint,
        "generated_data": data.generated,
        "initial_weights": _initial_weights(planned),
        "n_images": len(evaluated_people(run).coco.getImgIds()) if measured.metrics else 0,
    }
    return Record(
        run_id=planned.run_id,
        run_hash=run_hash(planned.config, data.fingerprint, planned.parents),
        parents=planned.parents,
        config=planned.config,
        epochs=epochs,
        provenance=provenance.Provenance(**(made | origin)),
        curve=curve,
        metrics=measured.metrics,
        strata=measured.strata,
        predictions_sha256=None,
    )


def _computed(curve: Curve, precision: str) -> str:
    """How epochs were trained, and what else the evaluation's precision was."""
    words = "; ".join(dict.fromkeys(point.computed for point in curve if point.computed))
    more = [word for word in number_words(precision) if word not in numbers_of(words)]
    return "; ".join(filter(None, [words, *more]))


def _initial_weights(planned: PlannedRun) -> provenance.ReleasedFile | None:
    config = planned.config
    found = starting_weights(config.model.backbone) if isinstance(config, ExperimentConfig) else None
    return None if found is None else provenance.ReleasedFile(**found._asdict())


def _pretext_weights(run: Run) -> Path | None:
    if not run.planned.parents:
        return None
    (parent,) = run.planned.parents
    weights = run.store.path(parent) / BACKBONE_FILE
    if not weights.exists():
        raise UserError(f"backbone weights {weights} do not exist: run {parent} is {run.store.state(parent).value}")
    return weights
