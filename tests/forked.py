"""Commands of the program in processes of their own that need no start: a server, which has imported what a
sweep and its report need, forks one process for each. A start takes longer than most commands of a test.

Each command has the arguments, the folder, the environment and the streams that it was given. What tests
starts, signals or imports runs the program itself.

    python tests/forked.py serve ADDRESS
    python tests/forked.py ask ADDRESS LEFT_OUT sweep …    as pages' commands do, from tests/programs
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

PRELOADED = (
    "backproof.__main__",
    *(f"backproof.interfaces.{name}" for name in ("answers", "arguments", "progress", "terminal")),
    *(f"backproof.reports.{name}" for name in ("figures.drawing.tiles", "results", "tables", "write")),
    "backproof.session",
    "backproof.sweeps.workers",
    "hydra.core.plugins",
)
"""Modules that bring in what a sweep and its report load."""

if TYPE_CHECKING:  # and imported where they are needed, so that asking takes no time
    from subprocess import CompletedProcess, Popen


def program(
    *arguments: str, cwd: Path, left_out: str = "report", environment: Mapping[str, str] | None = None
) -> CompletedProcess[str]:
    """Run a command; returns its exit status and what it wrote.

    Args:
        arguments: those of the program.
        cwd: the folder that it runs in.
        left_out: what it does without: "report", "figures", or "" for nothing.
        environment: variables in place of those of this process.
    """
    from subprocess import CompletedProcess
    from tempfile import TemporaryFile

    variables = os.environ if environment is None else environment
    with TemporaryFile() as out, TemporaryFile() as err, Path(os.devnull).open() as none:
        streams = [each.fileno() for each in (none, out, err)]
        status = ask(address(), left_out, arguments, str(cwd), variables, streams)
        written = []
        for stream in (out, err):
            stream.seek(0)
            written.append(stream.read().decode())
    return CompletedProcess(["backproof", *arguments], status, *written)


def ask(
    at: str,
    left_out: str,
    arguments: Sequence[str],
    cwd: str,
    environment: Mapping[str, str],
    streams: Sequence[int],
) -> int:
    """Have the server at an address run a command with these streams; its exit status, −n after signal n."""
    message = json.dumps([left_out, list(arguments), cwd, dict(environment)]).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(at)
        socket.send_fds(server, [len(message).to_bytes(8, "little")], list(streams))
        server.sendall(message)
        with server.makefile() as answers:
            status = answers.read()
    if not status:
        raise RuntimeError("the process that ran a command ended without an answer")
    return int(status)


@cache
def address() -> str:
    """The address of this process's server, which ends with it."""
    import atexit
    from subprocess import PIPE, Popen
    from tempfile import mkdtemp

    folder = Path(mkdtemp(prefix="backproof-tests-"))
    at = str(folder / "commands")
    server = Popen([sys.executable, __file__, "serve", at], stdout=PIPE)
    atexit.register(_end, server, folder)
    assert server.stdout is not None
    if server.stdout.readline() != b"ready\n":
        raise RuntimeError("the server of commands did not start")
    return at


def _end(server: Popen[bytes], folder: Path) -> None:
    import shutil

    server.terminate()
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)


# --- the server ---------------------------------------------------------------------------------------


def serve(at: str) -> int:
    """Fork a process for each command that is asked for; its status is this function's, in that process."""
    import warnings
    from importlib import import_module

    from backproof.sweeps import fingerprint

    for name in PRELOADED:
        import_module(name)
    fingerprint.code_digest()  # of files that no command changes
    warnings.filterwarnings("ignore", "This process .* is multi-threaded, use of fork", DeprecationWarning)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(at)
        listener.listen()
        print("ready", flush=True)
        running = set()
        while True:
            connection, _ = listener.accept()
            running -= {each for each in running if os.waitpid(each, os.WNOHANG)[0]}
            process = os.fork()
            if process == 0:
                listener.close()
                return answer(connection)
            running.add(process)
            connection.close()


def answer(connection: socket.socket) -> int:
    """Run the command of a connection in one process more, and answer with its status."""
    size, streams, *_ = socket.recv_fds(connection, 8, 3)
    with connection.makefile("rb") as given:
        left_out, arguments, cwd, environment = json.loads(given.read(int.from_bytes(size, "little")))
    command = os.fork()
    if command == 0:
        connection.close()
        return run(left_out, arguments, cwd, environment, streams)
    status = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    connection.sendall(str(status).encode())
    connection.close()
    os._exit(0)


def run(
    left_out: str, arguments: list[str], cwd: str, environment: dict[str, str], streams: list[int]
) -> int:
    """Run a command in this process, as the program of its name would."""
    from contextlib import nullcontext

    from without_figures import figures_left_out
    from without_report import in_one_process, report_left_out

    from backproof.__main__ import main

    for mine, given in enumerate(streams):
        os.dup2(given, mine)
        os.close(given)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = str(Path(sys.executable).parent)
    sys.argv = ["backproof", *(in_one_process(arguments) if left_out else arguments)]
    with {"": nullcontext, "figures": figures_left_out, "report": report_left_out}[left_out]():
        return main()


if __name__ == "__main__":
    work, socket_at, *words = sys.argv[1:]
    if work == "serve":
        sys.exit(serve(socket_at))
    sys.exit(ask(socket_at, words[0], words[1:], str(Path.cwd()), os.environ, (0, 1, 2)))
