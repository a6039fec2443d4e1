"""The child process that executes one notebook: `python -m poseur_study.execution.papermill_child JOB.json`.

It exits with 0 if every cell ran; that alone is no success, since a dying kernel can look the same. The job is
{"notebook", "output", "parameters", "folder", "connection"}: source, executed copy, parameters, working folder, and the
file by which it reaches its kernel.
"""

import json
import sys
from pathlib import Path

from poseur_lib.files import write_atomically
from poseur_study.runs.heartbeat import die_with_parent

KERNEL_START_SECONDS = 300  # a busy machine, a slow network disk


def main(job_file: str) -> int:
    """Execute the job; the last line that is printed says why it failed."""
    die_with_parent()
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    try:
        papermill.execute_notebook(
            job["notebook"],
            job["output"],
            parameters=job["parameters"],
            cwd=job["folder"],
            progress_bar=False,
            kernel_name="python3",
            start_timeout=KERNEL_START_SECONDS,
            shutdown_kernel="immediate",  # what counts is in files by now, and torch takes seconds to leave
            config=Config(KernelManager={"connection_file": job["connection"]}),
        )
        forget_paths(Path(job["output"]))
    except PapermillExecutionError as error:
        print("\n".join(error.traceback))
        print(f"{error.ename}: {' '.join(error.evalue.split())}")
        return 1
    except (DeadKernelError, OSError) as error:
        print(f"{type(error).__name__}: {error}")
        return 1
    return 0


def forget_paths(notebook: Path) -> None:
    """Reduce the paths that papermill notes in an executed notebook to file names: a committed one has no machine's."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    noted = content["metadata"].get("papermill", {})
    for key in ("input_path", "output_path"):
        if noted.get(key):
            noted[key] = Path(noted[key]).name
    write_atomically(notebook, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
