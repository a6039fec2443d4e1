"""A Slurm of one machine, for a test: munged, slurmctld and slurmd in a folder of their own."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={cpus} ThreadsPerCore=1 \
RealMemory=2000 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing_programs() -> list[str]:
    """Those of Slurm's and Munge's programs that are not installed."""
    place = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [name for name in PROGRAMS if shutil.which(name, path=place) is None]


@contextmanager
def running_slurm(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which `sbatch` reaches a Slurm that lives in `folder`; it ends with the context."""
    folder.chmod(0o755)
    environment = os.environ | {
        "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
        "SLURM_CONF": str(folder / "slurm.conf"),
    }
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    text = CONFIGURATION.format(
        host=socket.gethostname(), user=getpass.getuser(), folder=folder, ports=_free_ports(2), cpus=os.cpu_count()
    )
    (folder / "slurm.conf").write_text(text)
    munge = ["munged", "--foreground", "--force", f"--key-file={folder}/munge.key", f"--socket={folder}/munge.socket"]
    munge += [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")]
    processes: list[subprocess.Popen] = []
    try:
        for command in (munge, ["slurmctld", "-D"], ["slurmd", "-D"]):
            with (folder / f"{command[0]}.out").open("w") as output:
                processes.append(subprocess.Popen(command, env=environment, stdout=output, stderr=output))
            time.sleep(1)
        _wait_for_idle(folder, environment)
        yield environment
    finally:
        subprocess.run(["scancel", "--user", getpass.getuser()], env=environment, check=False, timeout=30)
        time.sleep(2)
        for process in reversed(processes):
            process.terminate()
            process.wait(30)


def _wait_for_idle(folder: Path, environment: dict[str, str]) -> None:
    states = ""
    for _ in range(60):
        command = ["sinfo", "--noheader", "--format=%t"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        states = done.stdout.strip() or done.stderr.strip()
        if states == "idle":
            return
        time.sleep(1)
    logs = "\n".join(path.read_text(errors="replace")[-1500:] for path in sorted(folder.glob("*.[lo]*")))
    raise AssertionError(f"Slurm does not come up: {states}\n{logs}")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
