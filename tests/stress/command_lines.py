"""Random and mutated command lines: each runs, or ends with one line and status 2."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from own_configuration import write_files

from backproof.interfaces.cli import main

LONGEST = 60
"""Seconds of processor time that a command may take."""

WORK = "data=xor network.hidden=[2] training.steps=1"

CORPUS = (
    f"sweep {WORK} name=a",
    f"sweep -m {WORK} activation=relu,tanh seed=0,1 name=b",
    f"sweep -m {WORK} clip.eps=1e-7,1e-3 clip.backward=ignored name=c --fail-fast",
    "plan -m data=xor network.hidden=[2],[3,2] training=none output=softmax loss=categorical_cross_entropy",
    "plan experiment=relu_at_zero seed=0",
    "plan data=gaussian network.init_scale=0.1 network.bias=zero activation=elu activation.alpha=2",
    f"check {WORK} delta=y_minus_t output=relu relu_at_zero=0.5 kink=assign",
    f"check {WORK} fault=sign check.scheme=central check.step=1e-5 --json",
    "check --config-dir my subject=kernel subject.shape=[2,3] subject.layout=gaps precision=float32",
    "report results/a",
    "compare results/a results/b",
    f"sweep --config-dir my activation=mine {WORK} name=d",
    f"check --config-dir my +variant=a ++loss.l2=0.1 ~clip.eps {WORK} output=${{activation}}",
    f"sweep --config-dir my --config-name first -m {WORK} experiment=preset seed=0,1 name=e",
    f"plan --config-dir my {WORK} activation=bare +activation.slope=0.1,0.2 seed=${{oc.env:HOME}}",
    "check --help clip.eps",
    "sweep --cfg job --package clip --resolve",
    "sweep --help",
)

TOKENS = (
    "", "=", "a=", "=1", "nan", "inf", "1e999", "-1", "0", "99999999999999999999", "''", '"', "[", "]",
    "{",     "}", "[1", "{a:1}", "${seed}", "${oc.env:HOME}", "${", "name=../x", "name=/tmp/x", "name=.",
    "name=a/b",     "name=a b", "name=", "\u00e9", "\u202e", "a\nb", "a\tb", "x" * 5000, "--unknown",
    "-x", "-m",     "--multirun", "--cfg", "--cfg=job", "--info", "--config-dir", "--config-dir=nowhere",
    "--config-dir=broken", "--config-name=x", "+x=1", "~seed", "~activation", "+activation=relu",
    "++seed=1", "seed=range(0,3)",     "seed=range(3)", "seed=range(0,0)", "seed=choice(1,2)",
    "seed=glob(*)", "activation=glob(*)",     "activation=glob(r*)", "activation=", "activation=null",
    "activation=1,2", "activation=[relu]",     "loss={a:1}", "seed=true", "seed=1.5", "seed=",
    "network.hidden=2", "network.hidden=[0]",     "network.hidden=[-1]", "network.hidden=[]",
    "network.hidden=[2.5]", "clip.eps=x", "clip.eps=-1",     "clip.eps=0", "precision=float8",
    "check.step=0", "check.step=nan", "check.scheme=complex",     "experiment=none", "experiment=../x",
    "hydra.run.dir=/tmp/zz", "hydra.mode=RUN", "hydra/launcher=none",     "hydra/sweeper=none",
    "hydra.sweep.dir=x", "engine=threads", "engine.jobs=x", "engine.timeout=-1",     "subject=function",
    "subject._target_=os.getcwd", "subject._target_=nope.f", "data=file",     "data.path=nowhere.csv",
    "training.batch=0", "training.learning_rate=nan", "fault=all", "--json",     "--plot",
    "--retry-failed", "results/none", "++seed=0,1", "++loss.l2=a", "+loss.l3=1", "~loss.l2", "~nothing",
    "~seed=1", "+variant=a,b", "+variant=z", "variant=a", "experiment=preset", "+experiment=preset",
    "experiment=preset,thread", "~experiment", "activation@output=tanh", "+activation@output=tanh",
    "+activation@nowhere=tanh", "seed=${nowhere}", "seed=${oc.env:NOWHERE}", "output=${activation}",
    "clip.eps=interval(0,1)", "loss={l2: 0.1}", "++loss={l2: {a: 1}}", "seed=shuffle(0,1)", "seed=sort(1,0)",
    "hydra.sweep.dir=a,b", "hydra.verbose=true", "hydra.job.chdir=true", "hydra/launcher=ray",
    "hydra/sweeper=optuna", "hydra.searchpath=[my]", "hydra.searchpath=x", "--version", "--resolve",
    "--package=clip", "--experimental-rerun=x", "-sc", "install=bash", "query=fish", "--help", "--help=clip",
    "data.path=~nobody/x", "data.path=" + "x" * 5000, "~" + "x" * 5000, "experiment=" + "x" * 5000,
    "subject=vjp", "subject=kernel", "subject.shape=[[3],2]", "subject.shape=[[3]]", "subject.inputs=x.npz",
    "subject.backward=os.getcwd", "subject.layout=x", "subject.arrays=torch", "precision=bfloat16",
    "--config-name=first", "--config-name=broken", "activation=bare", "activation.slope=???",
)  # fmt: skip

LETTERS = "abz019=,.[]{}()$:'\"\\/ +-~*#%&\x00\x7f\u00e9"


def mutated(draw: random.Random) -> list[str]:
    """A command line that is almost right."""
    words = draw.choice(CORPUS).split()
    for _ in range(draw.choice([0, 1, 1, 1, 2, 3])):
        at = draw.randrange(len(words)) if words else 0
        how = draw.randrange(8)
        if how == 0 and words:
            del words[at]
        elif how == 1 and words:
            words.insert(at, words[at])
        elif how == 2 and len(words) > 1:
            other = draw.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        elif how == 3 and words:
            key = words[at].partition("=")[0]
            words[at] = f"{key}={draw.choice(TOKENS).rpartition('=')[2]}"
        elif how == 4:
            words.insert(at + 1, draw.choice(TOKENS))
        elif how == 5:
            words.insert(at + 1, draw.choice(draw.choice(CORPUS).split()))
        elif words:
            letters = list(words[at])
            place = draw.randrange(len(letters) + 1)
            letters[place : place + draw.randrange(2)] = draw.choice(LETTERS)
            words[at] = "".join(letters)
    return words


class TooLongError(BaseException):
    """A command hangs."""


@contextlib.contextmanager
def of_children(err: io.StringIO) -> Iterator[None]:
    """Collect what processes that are started meanwhile write to the error stream."""
    kept = os.dup(2)
    with tempfile.TemporaryFile("w+") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            err.write(file.read())


def tried(words: list[str]) -> tuple[str, str]:
    """What becomes of a command line: how it ended, and what it said where that is not as it should be."""
    out, err = io.StringIO(), io.StringIO()

    def expire(*_: object) -> None:
        raise TooLongError

    # Of its own time, so that a machine that is busy with other things makes no hang; or a wait that long.
    signal.signal(signal.SIGPROF, expire)
    signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    signal.alarm(10 * LONGEST)
    before = set(os.listdir("."))  # noqa: PTH208
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), of_children(err):
            status: object = main(words)
    except SystemExit as left:
        return f"left with {left.code}", err.getvalue()
    except TooLongError:
        return "hangs", ""
    except BaseException:
        return "traceback", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    said = err.getvalue()
    # Python itself keeps modules of the user's compiled.
    stray = set(os.listdir(".")) - before - {"results", "__pycache__"}  # noqa: PTH208
    if stray:
        return "stray files", str(stray)
    if status == 2 and words:
        lines = [line for line in said.splitlines() if not line.startswith(("results/", "note: "))]
        good = len(lines) == 1 and lines[0].startswith("backproof: ")
        return ("refused", "") if good else ("refused badly", said)
    return f"status {status}", said if "Traceback" in said else ""


def commands(folder: Path, count: int, seed: int) -> dict[str, object]:
    """Try so many; how they ended, and those that did not end as they should."""
    os.chdir(folder)
    write_files(folder)
    (folder / "my" / "activation" / "mine.yaml").write_text('value: "z**2"\n')
    (folder / "broken").mkdir()
    (folder / "broken" / "config.yaml").write_text("a: [\n")
    draw, ended, bad = random.Random(seed), Counter[str](), list[tuple[str, list[str], str]]()
    for i in range(count):
        words = mutated(draw)
        with contextlib.suppress(ValueError):
            words.remove("engine=threads")
        if words and words[0] in ("sweep", "plan", "check"):
            words.append("engine=serial")
        how, said = tried(words)
        ended[how] += 1
        if how not in ("refused", "status 0", "status 1", "status 2") or said:
            bad.append((how, words, said))
            print(how, words, said[-1500:], file=sys.stderr, flush=True)
        if i % 200 == 0:
            print(f"{i} of {count}", file=sys.stderr, flush=True)
            shutil.rmtree(folder / "results", ignore_errors=True)
    return {**ended, "not as they should": len(bad)}
