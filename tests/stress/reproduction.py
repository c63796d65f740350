"""Commands that reproduce: cells of random sweeps, each made again by the command that its row holds."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from own_configuration import write_files

from backproof.errors import ConfigurationError
from backproof.interfaces.arguments import read
from backproof.interfaces.cli import request_of, session_of
from backproof.sweeps.composition import request
from backproof.sweeps.composition.composer import CONFIG_NAME, Composer
from backproof.sweeps.listing import Cell
from backproof.sweeps.overrides import GROUPS, shown
from backproof.sweeps.settings import MODELS
from backproof.sweeps.validation import words as words_of

NUMBERS = ("0", "1", "2", "3", "0.5", "1.0", "1e-7", "-1", "-0.25", "0.3", "1e-3", "12345678901")
TEXTS = ("a", "two words", "it's", 'say "so"', "a,b", "ü", "-x", "", "null", "1e3", "[1]", "{a: b}",
         "$HOME", "a=b", "~", "#", "\\", "end\\", "${seed}", "\\${seed}", "a'b\\", "(x)",
         "tab\there", "line\nbreak", "true")  # fmt: skip
LISTS = ("[]", "[3]", "[4,2]", "[1,[2,3]]", "['two words',\"it's\"]", "[null,true,1e-7,-2]")
REFERENCES = ("${seed}", "${relu_at_zero}", "${network.init_scale}", "${oc.env:NUMBER}", "${oc.env:WORD}",
              "${oc.decode:'2'}", "${oc.env:ABSENT,3}", "x${seed}y", "${nowhere}")  # fmt: skip
ENVIRONMENT = {"NUMBER": "2", "WORD": "it's ü"}


class Lines:
    """Draws command lines of every form that an override has, of all keys and choices that there are.

    Most are made to fit what was drawn before them, so that many lines span a grid; the others are not.
    """

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        found = Composer(CONFIG_NAME, searchpath=["file://my", "file://more"])
        self.options = {group: found.options(group) for group in GROUPS}
        self.default_choices = found.default_choices
        self.parts = {(g, o): found.files.part(g, o) or {} for g in GROUPS for o in self.options[g]}
        self.fitting: dict[str, set[str]] = {"seed": {"0", "3"}, "relu_at_zero": {"0", "0.5", "1.0"}}
        for (group, _), part in self.parts.items():
            for key, value in part.items():
                self.fitting.setdefault(f"{group}.{key}", set()).update(like(value))
        for group, model in MODELS.items():
            for name, field in model.settings().items():
                self.fitting.setdefault(f"{group}.{name}", set()).update(words_of(field))

    def line(self) -> list[str]:
        """One command line, without the command."""
        draw = self.draw
        self.chosen, self.there = dict(self.default_choices), set[str]()
        words = [draw.choice(["--config-dir=my", "hydra.searchpath=[file://my,file://more]"])]
        if words[0].startswith("--") and draw.random() < 0.4:
            words += ["--config-name", draw.choice(["first", "second"])]
        if draw.random() < 0.8:
            words.append(draw.choice(["data=xor", "data=moons", "data=gaussian", "data=table"]))
            self.chosen["data"] = words[-1].partition("=")[2]
        if draw.random() < 0.15:
            subject = draw.choice(["outside", "kernel"])
            kinds = (self.keyword,) if subject == "outside" else (self.keyword, self.of_arrays)
            words += [f"subject={subject}", *(draw.choice(kinds)() for _ in range(draw.randrange(3)))]
        makers = (self.choice, self.choice, self.value, self.value, self.value, self.value, self.hydras)
        return words + [draw.choice(makers)() for _ in range(draw.randrange(1, 6))]

    def choice(self) -> str:
        """A choice of a group, or several."""
        draw, group = self.draw, self.draw.choice([group for group in GROUPS if group != "subject"])
        one, other = draw.choice(self.options[group]), draw.choice(self.options[group])
        self.chosen[group] = one
        return f"{group}={draw.choice([one] * 3 + [f'{one},{other}', f'choice({other},{one})'])}"

    def value(self) -> str:
        """A value of some key: set, added, forced or deleted."""
        draw, form = self.draw, self.draw.choice(["", "", "", "", "+", "++", "++", "++", "~", "~"])
        here = [f"{g}.{key}" for g, option in self.chosen.items() for key in self.parts.get((g, option), ())]
        absent = sorted(set(self.fitting) - set(here))
        key = draw.choice({"": [*here, "seed"], "++": [*here, "seed"], "~": here, "+": absent}[form])
        if draw.random() < 0.1:
            key = draw.choice(sorted(self.fitting))
        if form == "~":
            return f"~{key}"
        fitting = sorted(self.fitting[key]) or ["null"]
        kinds = [*[fitting] * 12, NUMBERS, LISTS, REFERENCES, REFERENCES, ("null", "true", "false")]
        first, second = (draw.choice(draw.choice(kinds)) for _ in range(2))
        return f"{form}{key}={draw.choice([first, first, f'{first},{second}'])}"

    def hydras(self) -> str:
        """A choice that only Hydra can make, or a mapping."""
        options = self.options["activation"]
        return self.draw.choice(
            [
                "+variant=a", "+variant=b", "+variant=a,b", "experiment=preset", "+experiment=preset",
                "experiment=ours", "output=same", "output=${activation}",
                "activation=${oc.env:ACTIVATION,tanh}",
                f"+activation@output={self.draw.choice(options)}", "loss={l2: 0.25, reduction: mean}",
                "++network={hidden: [2]}", "~fault", "~clip", "data=table",
                "data.path=\"a 'b' ü.csv\"", "network.hidden=[]", "activation=glob(b*)", "seed=range(0,2)",
            ]
        )  # fmt: skip

    def of_arrays(self) -> str:
        """At which arrays a derivative is checked."""
        return self.draw.choice(
            [
                "subject.shape=[2,3],[4]", "subject.shape=[[2,3],[3]]", "++subject.shape=[[],[2]],[]",
                "subject.layout=gaps,column_major", "subject.input_scale=0.5,2", "subject.arrays=numpy",
                "subject.distribution=uniform,exponential", "precision=float16,longdouble",
                "subject.start=own_code.start", "subject.shape=null", "~subject.shape",
                "subject.inputs=a.npz",
            ]
        )  # fmt: skip

    def keyword(self) -> str:
        """A keyword of a function from outside, which may be anything."""
        draw, name = self.draw, self.draw.choice(["text", "flag", "numbers", "new"])
        text = shown(draw.choice(TEXTS)).replace("\\${", draw.choice(["\\${", "${"]))
        given = draw.choice([text, text, draw.choice(NUMBERS), draw.choice(LISTS), "null", "true"])
        return f"{draw.choice(['', '', '++', '+' if name == 'new' else ''])}subject.{name}={given}"


def like(value: object) -> list[str]:
    """Values that are of the kind of a default."""
    if isinstance(value, bool):
        return ["true", "false"]
    if isinstance(value, int | float):
        return [str(value), "1", "2", "7", *(["0.25", "1e-7", "1.5"] if isinstance(value, float) else [])]
    if isinstance(value, list):
        return ["[]", "[3]", "[4,2]"]
    return ["null"] if value is None else [shown(str(value))]


def cells_of(words: list[str]) -> list[Cell]:
    """The cells of a sweep with these arguments."""
    arguments = read("sweep", words)
    return session_of(arguments).cells(request_of(arguments))


def made_again(cell: Cell) -> str:
    """The id of the cell that the command makes, or the reason why it makes none."""
    program, command, *words = shlex.split(cell.command)
    assert (program, command) == ("backproof", "check")
    try:
        arguments = read("check", words)
        return session_of(arguments).cell(request_of(arguments)).case.id
    except ConfigurationError as error:
        return f"refused: {error}"


def reproduction(folder: Path, count: int, seed: int, processes: int = 3) -> dict[str, int]:
    """Draw so many cells; how many their commands make again, and how many real processes confirm it."""
    os.chdir(folder)
    sys.path.append(str(folder))
    os.environ.update(ENVIRONMENT)
    write_files(folder)
    draw, found = random.Random(seed), Counter[str]()
    lines = Lines(draw)
    made: dict[str, Composer] = {}
    request.Composer = partial(_composer, made)  # the files stay as they are
    while found["cells"] < count:
        words = lines.line()
        found["command lines"] += 1
        try:
            cells = cells_of(words)
        except ConfigurationError as error:
            found["refused"] += 1
            if "\n" in str(error):
                print("more than a line", words, error, file=sys.stderr)
            continue
        for cell in draw.sample(cells, min(len(cells), 3, count - found["cells"])):
            again = made_again(cell)
            found["cells"] += 1
            found["reproduced"] += again == cell.case.id
            if again != cell.case.id:
                print(
                    "not reproduced",
                    words,
                    cell.command,
                    again,
                    cell.case.flat(),
                    file=sys.stderr,
                    flush=True,
                )
            elif found["processes"] < processes and cell.case.flat().get("data") == "xor":
                found["processes"] += 1
                found["confirmed"] += _by_a_process(cell)
    return dict(found)


def _composer(made: dict[str, Composer], *given: object, **more: object) -> Composer:
    key = repr((given, more))
    if key not in made:
        made[key] = Composer(*given, **more)
    return made[key]


def _by_a_process(cell: Cell) -> bool:
    """Whether a process started by a shell checks that case."""
    command = f"{shlex.quote(sys.executable)} -m {cell.command} --json"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    with contextlib.suppress(ValueError):
        return json.loads(done.stdout)["case"] == json.loads(json.dumps(cell.case.flat()))
    print(command, done.stderr, file=sys.stderr)
    return False
