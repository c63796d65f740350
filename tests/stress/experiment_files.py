"""Random and mutated experiment files: each is planned or run, or refused in one line with status 2."""

from __future__ import annotations

import copy
import os
import random
import shutil
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from command_lines import tried
from own_configuration import write_files

SMALL = ["data=xor", "network.hidden=[2]", "training.steps=1", "engine=serial"]

CORPUS: tuple[dict[str, Any], ...] = (
    {
        "question": "Does it agree?",
        "overrides": {"data": "xor", "network.hidden": [[2]], "training": "none"},
        "grid": [
            {"activation": ["relu", "tanh"], "seed": "range(0,2)"},
            {"output": "sigmoid", "clip.eps": [1e-7, 0.1]},
        ],
        "exclude": [{"where": "activation == 'tanh' and seed == 1", "because": "once is enough"}],
        "refine": {"axis": "clip.eps", "flips": "verdict == 'agrees'", "width": 0.5},
        "claims": [
            {
                "id": "right",
                "statement": "it agrees",
                "where": "seed >= 0",
                "holds": "verdict == 'agrees'",
                "share": ">= 0.5",
            },
            {"statement": "small", "where": "`clip.eps` < 1", "holds": "gradient_error < 1e-3"},
        ],
        "figures": [
            {
                "value": "gradient_error",
                "rows": ["activation"],
                "columns": ["output"],
                "aggregate": "median",
                "where": "seed == 0",
                "title": "Error",
                "caption": "of each pair",
            },
            {"value": "verdict", "rows": ["activation"], "columns": ["seed"]},
        ],
    },
    {"grid": {"loss": "squared_error", "output": ["identity", "relu"], "network.init_scale": [0.1, 1]}},
    {"overrides": {"data": "xor"}, "refine": "network.init_scale", "grid": {"network.init_scale": [0.1, 9]}},
)

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefghi")
)
VALUES: tuple[Any, ...] = (
    None, "", 0, -1, 1.5, True, float("nan"), float("inf"), 10**400, "x" * 3000, "\u202e", "a\nb", "\x1b[2J",
    [], {}, [[]], {"a": {"b": {}}}, [None], {None: 1}, {1: 2}, [[[[]]]], "range(0,5)", "range(0,10**9)",
    "glob(*)", "choice(", "${seed}", "${oc.env:HOME}", "???", "interval(0,1)", "9**9**9 > 1", "().__class__",
    "__import__('os').system('touch stray')", "@pd", "`no such`", "seed", "seed ==", "not verdict",
    "a" + ".b" * 500, "(" * 500, "clip.eps", "cell", "verdict", "../../x", "/etc/passwd", "2024-01-01",
)  # fmt: skip
TEXTS = (
    "", "[", "- a\n- b\n", "a: [\n", "!!python/object/apply:os.system [touch stray]\n", "a: !!binary x\n",
    "question: &a [*a]\n", "grid: &a {seed: *a}\n", "? {a: b}\n: c\n", "\x00", "\xff\xfe", "- " * 3000,
    "[" * 3000, "{" * 300, "a: b: c", "\ta: b", "---\na: 1\n---\nb: 2\n", "%YAML 9.9\n---\na: 1\n",
    BOMB + "grid: {seed: *i}\n", BOMB + "question: *i\n", BOMB + "claims: *i\n",
    BOMB + "figures: [{value: *i}]\n",
    "grid: {seed: 1}\ngrid: {seed: 2}\n", "<<: {grid: {seed: 1}}\n", "grid: {seed: 0x10, <<: 5}\n",
)  # fmt: skip
LETTERS = ":-[]{}&*!|>'\"%@`#?,\n\t =\u00e9\x00\x7f"


def mutated(draw: random.Random) -> str | bytes:
    """The text of a file that is almost right."""
    if draw.random() < 0.1:
        return draw.choice(TEXTS)
    content = copy.deepcopy(draw.choice(CORPUS))
    for _ in range(draw.choice([0, 1, 1, 2])):
        _spoil(content, draw)
    try:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    except yaml.YAMLError:
        text = str(content)
    if draw.random() < 0.3:
        place = draw.randrange(len(text) + 1)
        text = text[:place] + draw.choice(LETTERS) + text[place + draw.randrange(4) :]
    return text.encode("utf-8", "surrogatepass")[: -draw.randrange(1, 9)] if draw.random() < 0.05 else text


def _spoil(content: Any, draw: random.Random) -> None:
    """Change one thing, at any depth."""
    places = list(_places(content))
    if not places:  # all of it is gone
        return
    where, key = draw.choice(places)
    how = draw.randrange(4)
    if how == 0:
        where[key] = copy.deepcopy(draw.choice(VALUES))
    elif how == 1:
        del where[key]
    elif how == 2 and isinstance(where, dict):
        other = draw.choice([str(key) + "x", "", 5, "seed", "value", "network.hidden", "engine", "name"])
        where[other] = where.pop(key)
    else:
        from_, other = draw.choice(places)
        where[key] = copy.deepcopy(from_[other]) if other in _keys(from_) else None


def _keys(container: Any) -> list[Any]:
    return list(container) if isinstance(container, dict) else list(range(len(container)))


def _places(content: Any) -> Any:
    if isinstance(content, dict | list):
        for key in _keys(content):
            yield content, key
            yield from _places(content[key])


def experiment_files(folder: Path, count: int, seed: int) -> dict[str, object]:
    """Try so many; how they ended, and those that did not end as they should."""
    os.chdir(folder)
    write_files(folder)
    (folder / "experiments").mkdir(exist_ok=True)
    draw, ended, bad = random.Random(seed), Counter[str](), 0
    for i in range(count):
        text = mutated(draw)
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        (folder / "experiments" / "mine.yaml").write_bytes(data)
        command = draw.choice(["plan", "plan", "plan", "sweep"])
        how, said = tried([command, "experiment=mine", "name=mine", *(SMALL if command == "sweep" else [])])
        ended[f"{command}: {how}"] += 1
        if how not in ("refused", "status 0", "status 1") or said:
            bad += 1
            (folder / f"bad-{i}.yaml").write_bytes(data)
            print(how, command, data[:400], said[-1500:], file=sys.stderr, flush=True)
        shutil.rmtree(folder / "results", ignore_errors=True)
    return {**dict(sorted(ended.items())), "not as they should": bad}
