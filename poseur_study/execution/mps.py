"""NVIDIA's MPS for runs that share a GPU: their kernels run side by side, where they would otherwise take turns.

A batch has a daemon of its own in a private folder. It ends with the batch, however that ends: a shell in a session of
its own reads from a pipe whose other end only the batch holds, and tells the daemon to quit when that end closes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from poseur_study.execution.slots import BY_BUS, VISIBLE

CONTROL = "nvidia-cuda-mps-control"
PIPES, LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
ANSWER_SECONDS, QUIT_SECONDS = 30, 60
WATCHER = 'cat > /dev/null; echo quit | "$0" > /dev/null 2>&1; rm -rf "$1"'
CLIENT = """
import ctypes, sys
cuda, context = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p()
code = cuda.cuInit(0) or cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
sys.exit(f"CUDA error {code}" if code else 0)
"""
"""What every run does first: it shows whether a daemon that was started serves anybody."""


@contextmanager
def shared_gpus(gpus: str, say: Callable[[str], None] = print) -> Iterator[dict[str, str]]:
    """What the environment of runs that share GPUs gets, while an MPS is there for them.

    One that was running before is used and left running. Where none can be started, runs share without it.

    Args:
        gpus: of one run, as CUDA_VISIBLE_DEVICES names them.
        say: told in one line which MPS is used, or why none is.
    """
    reason = _not_to_start()
    if reason is not None:
        say(reason)
        yield {}
        return
    # Not in TMPDIR, which may go before the daemon does, and be longer than the path of a socket can be.
    folder = tempfile.mkdtemp(prefix="poseur-mps-", dir="/tmp")
    added = {PIPES: folder, LOGS: folder}
    # The daemon sees every GPU, so that their numbers are the same to it and to the runs.
    environment = {name: value for name, value in os.environ.items() if name != VISIBLE} | added | BY_BUS
    with _ended_with_this_process(folder, environment):
        problem = _start(environment) or _client_problem(environment | {VISIBLE: gpus})
        if problem is None:
            say("runs share GPUs by MPS, started for this batch")
            yield added
    if problem is not None:
        say(f"runs share GPUs without MPS: {problem}")
        yield {}


def _not_to_start() -> str | None:
    """Why no daemon is to be started, in a line; None if one is."""
    chosen = os.environ.get(PIPES)
    where = f" at {chosen}, as {PIPES} says" if chosen else ""
    if shutil.which(CONTROL) is None:
        return f"runs share GPUs without MPS: there is no {CONTROL} here"
    if _answer_problem(os.environ) is None:
        return f"runs share GPUs by the MPS that was running{where}; it is left running"
    return f"runs share GPUs without MPS: none answers{where}" if chosen else None


def _start(environment: Mapping[str, str]) -> str | None:
    return _run([CONTROL, "-d"], environment) or _answer_problem(environment)


def _answer_problem(environment: Mapping[str, str]) -> str | None:
    """Why no daemon answers at the folder that an environment names; None if one does."""
    return _run([CONTROL], environment, "get_server_list\n")


def _client_problem(environment: Mapping[str, str]) -> str | None:
    """Why a process cannot use a GPU through the daemon, as in a container that forbids it; None if one can."""
    return _run([sys.executable, "-c", CLIENT], environment)


def _run(command: list[str], environment: Mapping[str, str], given: str = "") -> str | None:
    """What went wrong with a command, in a line; None if nothing did. It has no share in Ctrl-C."""
    # Its output goes to a file: a daemon keeps what it inherits, and a pipe would be waited for.
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        tempfile.TemporaryFile("w+", encoding="utf-8") as words,
    ):
        words.write(given)
        words.seek(0)
        try:
            done = subprocess.run(
                command, stdin=words, stdout=output, stderr=subprocess.STDOUT, env=dict(environment),
                timeout=ANSWER_SECONDS, start_new_session=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"{os.path.basename(command[0])} does not answer"
        except OSError as error:
            return f"{command[0]}: {error.strerror}"
        output.seek(0)
        said = output.read().strip()
    if done.returncode == 0:
        return None
    return said.splitlines()[-1] if said else f"{os.path.basename(command[0])} ends with code {done.returncode}"


@contextmanager
def _ended_with_this_process(folder: str, environment: Mapping[str, str]) -> Iterator[None]:
    """The daemon of `folder` quits, and the folder goes, when this ends or the process does, also by SIGKILL."""
    watcher = subprocess.Popen(
        ["sh", "-c", WATCHER, CONTROL, folder], stdin=subprocess.PIPE, env=dict(environment), start_new_session=True
    )
    try:
        yield
    finally:
        assert watcher.stdin is not None
        watcher.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            watcher.wait(QUIT_SECONDS)
