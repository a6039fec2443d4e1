"""`poseur study`: what the tables need, what of it is there, and making the rest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poseur_lib.errors import UserError
from poseur_study.cli import options
from poseur_study.cli.study_released import run_released

if TYPE_CHECKING:
    from poseur_study.execution.batch import Batch

SOURCES = ("retrained", "released")

app = typer.Typer(help="Plan, run and look at the runs behind the paper's tables.", no_args_is_help=True)

ProfileOption = Annotated[
    str, typer.Option("--profile", help="smoke (minutes), mini (hours), midi, real (a GPU) or paper (a cluster).")
]
TablesOption = Annotated[str, typer.Option("--tables", help="Numbers of tables, such as 1b,1c; default: all.")]
SeedsOption = Annotated[str, typer.Option("--seeds", help="Seeds, such as 0,1,2; default: the profile's.")]
DataOption = Annotated[
    str,
    typer.Option("--data", metavar="DIR", help="Data set in COCO's layout; default: the profile's generated people."),
]


@app.command("plan")
def show_plan(
    profile: ProfileOption = "smoke",
    tables: TablesOption = "",
    seeds: SeedsOption = "",
    data: DataOption = "",
    runs: options.Runs = "",
    changes: options.Set = None,
    workers: Annotated[int, typer.Option(min=1, help="Runs at a time, for the hours.")] = 1,
    device_gflops: Annotated[
        float | None,
        typer.Option(help="Billions of multiply-adds per second that a slot sustains; default: as finished runs did."),
    ] = None,
    gpu: Annotated[
        str,
        options.one_of(
            "GPU",
            "poseur_study.execution.cost_estimate",
            "GPUS",
            "Instead, roughly a kind of GPU: h200, h100, l40s, a100, rtx4090, v100 or t4.",
        ),
    ] = "",
) -> None:
    """Say what the missing runs of the chosen tables will cost, then list all distinct ones and what is there.

    Nothing is executed or generated. Folders given are relative to the current one.
    """
    from poseur_study.execution.status import plan_lines

    if gpu and device_gflops is not None:
        raise UserError(f"--device-gflops {device_gflops:g} and --gpu {gpu}: give one of them")
    batch = _batch(profile, tables, seeds, data, runs, changes)
    typer.echo("\n".join(plan_lines(batch, workers, device_gflops, gpu)))


@app.command()
def status(
    profile: ProfileOption = "smoke",
    tables: TablesOption = "",
    seeds: SeedsOption = "",
    data: DataOption = "",
    runs: options.Runs = "",
    changes: options.Set = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every record, all weights and all notebooks, also known ones.")
    ] = False,
) -> None:
    """Say of each run of the chosen tables whether it is done, running, failed and why, or still to come.

    The exit code is 1 if a run or table failed, a finished run's record, results or weights are damaged, or with
    --verify an executed notebook was altered.
    """
    from poseur_study.execution.status import status_lines

    batch = _batch(profile, tables, seeds, data, runs, changes)
    if verify:
        batch.store.verified.forget()
    lines, wrong = status_lines(batch, notebooks=verify)
    typer.echo("\n".join(lines))
    if wrong:
        raise typer.Exit(1)


@app.command()
def run(
    profile: ProfileOption = "smoke",
    tables: TablesOption = "",
    seeds: SeedsOption = "",
    data: DataOption = "",
    runs: options.Runs = "",
    changes: options.Set = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Runs executed at a time; 0: as many as the GPUs have room for, or one.")
    ] = 0,
    devices: Annotated[int, typer.Option(min=1, help="GPUs, or CPU processes, of each run (DDP).")] = 1,
    runs_per_gpu: Annotated[
        str, typer.Option(metavar="N", help="Runs that share each GPU of this machine, by MPS; auto: measure first.")
    ] = "1",
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Use the workers of a running dask scheduler.")
    ] = "",
    security: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For tls://...: FILE (YAML or TOML) names ca_file, cert and key."),
    ] = None,
    slurm: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Make Slurm jobs with the options in FILE (YAML or TOML).")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try runs again that failed before.")] = False,
    limit_epochs: Annotated[
        int, typer.Option("--limit-epochs", min=0, help="Train so many epochs only: such a run stays partial.")
    ] = 0,
    device: options.Device = "auto",
    precision: options.Precision = "32",
    compile: options.Compile = "auto",
    data_on_device: options.DataOnDevice = "auto",
    loader_workers: Annotated[
        str,
        typer.Option(
            metavar="N",
            help="Processes that read and crop, of each device of a run; auto: with GPUs its share of the processors.",
        ),
    ] = "auto",
    source: Annotated[
        str, options.one_of("source", __name__, "SOURCES", "retrained, or released: evaluate --checkpoints instead.")
    ] = "retrained",
    checkpoints: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Released checkpoints, for --source released.")
    ] = None,
    input_size: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE=HxW", help="Of a checkpoint that does not tell it, such as b.pth=384x288."),
    ] = None,
) -> None:
    """Make the runs that are missing, then the tables' notebooks.

    A finished run is never trained again, a killed one resumes from its checkpoint, and one that fails does not stop
    the others; the exit code is then not 0. Several of these commands may share one folder of runs. Folders given are
    relative to the current one. Workers of --scheduler need this package and the same disk, and one thread each; with
    GPUs, one worker a GPU: CUDA_VISIBLE_DEVICES=0 dask worker ADDRESS --nthreads 1 --resources GPU=1.

    With --source released nothing is trained: each checkpoint in --checkpoints that is of a row of the tables is
    evaluated on --data, with ground-truth and detector boxes, once, as the released README does (flip fusion type2);
    tables then show it beside the paper's numbers.
    """
    from poseur_study.execution.status import damage_lines

    loaders = options.parse_loader_workers(loader_workers)
    if source == "released":
        asked = {"--seeds": seeds, "--set": changes, "--workers": workers, "--devices": devices > 1,
                 "--runs-per-gpu": runs_per_gpu != "1",
                 "--scheduler": scheduler, "--security": security, "--slurm": slurm, "--retry-failed": retry_failed,
                 "--limit-epochs": limit_epochs, f"--profile {profile}": profile not in ("smoke", "paper")}  # fmt: skip
        if of_training := ", ".join(option for option, given in asked.items() if given):
            raise UserError(f"{of_training}: of training; --source released evaluates checkpoints as they are")
        how = {"device": device, "precision": precision, "compile": compile, "data_on_device": data_on_device}
        return run_released(checkpoints, tables, data, runs, input_size, loaders, **how)
    if checkpoints is not None or input_size:
        raise UserError("--checkpoints and --input-size are for --source released")
    sharing = options.parse_runs_per_gpu(runs_per_gpu)
    if sharing != 1 and (scheduler or slurm is not None):
        raise UserError("--runs-per-gpu is for this machine; start several dask workers a GPU on a cluster")
    if sharing == options.AUTO and (workers or devices > 1):
        raise UserError("--runs-per-gpu auto decides itself how many runs there are: without --workers and --devices")
    batch = _batch(profile, tables, seeds, data, runs, changes, make=True)
    for line in (*batch.notes, *damage_lines(batch)):
        typer.echo(line, err=True)
    run_options = batch.options(
        device=device,
        precision=precision,
        compile=compile,
        data_on_device=data_on_device,
        limit_epochs=limit_epochs,
        workers=workers,
        devices=devices,
        loader_workers=loaders,
        retry_failed=retry_failed,
        scheduler=scheduler,
        security=security,
        slurm=slurm,
        runs_per_gpu=sharing,
    )
    if problems := batch.execute(run_options):
        typer.echo("\n".join(problems), err=True)
        raise typer.Exit(1)
    typer.echo(f"done; next: {options.report_command(profile, runs)}")


def _batch(
    profile: str, tables: str, seeds: str, data: str, runs: str, changes: list[str] | None, make: bool = False
) -> "Batch":
    from poseur_study.execution.batch import Batch
    from poseur_study.runs.project import as_given

    numbers, stored = options.comma_separated(tables), str(options.runs_folder(runs))
    folder, known_seeds = str(as_given(data)) if data else "", options.parse_seeds(seeds)
    return Batch(profile, numbers, known_seeds, folder, stored, options.parse_changes(changes), make)
