"""A child that dies with its parent: a killed batch leaves no process that writes where the next one does."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1
CHILD_FLAG = "POSEUR_CHILD"


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends (Linux), however that ends."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call
        os.kill(os.getpid(), signal.SIGKILL)


def die_with_parent_in_batch() -> None:
    """`die_with_parent` for a notebook's kernel that a batch started; a kernel of JupyterLab is left alone."""
    if os.environ.get(CHILD_FLAG):
        die_with_parent()
