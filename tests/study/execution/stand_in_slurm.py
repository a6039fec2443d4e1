"""Slurm's four commands as shell scripts that start jobs here, so that a batch can submit them without a Slurm."""

from pathlib import Path

SBATCH = """#!/bin/bash
[ -e "{folder}/refuses" ] && {{ echo "sbatch: error: invalid partition specified: nosuch" >&2; exit 1; }}
id=$(( $(ls "{folder}" | grep -c '^pid-') + 1 ))
cp "$1" "{folder}/job-$id.sh"
setsid bash "{folder}/job-$id.sh" > "{folder}/slurm-$id.out" 2>&1 < /dev/null &
echo $! > "{folder}/pid-$id"
echo "Submitted batch job $id"
"""
SCANCEL = """#!/bin/bash
kill -TERM -- "-$(cat "{folder}/pid-$1")" 2> /dev/null
"""
SQUEUE = """#!/bin/bash
for file in "{folder}"/pid-*; do kill -0 "$(cat "$file")" 2> /dev/null && echo "${{file##*-}}"; done
exit 0
"""
SCONTROL = """#!/bin/bash
echo "JobId=$4 JobState=FAILED Reason=NonZeroExitCode ExitCode=127:0 StdErr={folder}/slurm-$4.out StdIn=/dev/null"
"""


def stand_in_slurm(folder: Path) -> Path:
    """A folder for PATH; logs of jobs lie in `folder`, and with a file `refuses` there nothing is submitted."""
    (folder / "bin").mkdir(parents=True)
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL), ("squeue", SQUEUE), ("scontrol", SCONTROL)):
        (folder / "bin" / name).write_text(text.format(folder=folder))
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin"
