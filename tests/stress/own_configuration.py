"""A folder of configuration files that does all that Hydra lets one do, for commands made at random."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "own_code.py": (
        "import numpy as np\n"
        "def bump(z, width=1.0):\n"
        "    return np.tanh(width * z)\n"
        "def start(seed):\n"
        "    return np.random.default_rng(seed).normal(size=3)\n"
        "def backprop(w, **keywords):\n"
        "    return w @ w, 2 * w\n"
        "def forward(x, y):\n"
        "    return x * y\n"
        "def backward(g, x, y, **keywords):\n"
        "    return g * y, g * x\n"
    ),
    "my/activation/formula.yaml": 'value: "a * z * tanh(log1p(exp(z)))"\na: 1.5\n',
    "my/activation/bump.yaml": "_target_: own_code.bump\nwidth: 2.0\n",
    "my/activation/bare.yaml": "_target_: backproof.network.activations.leaky_relu.leaky_relu\n",
    "my/activation/nested.yaml": "defaults: [leaky_relu, _self_]\nslope: 0.4\n",
    "my/activation/everywhere.yaml": (
        "# @package _global_\nactivation:\n"
        "  _target_: backproof.network.activations.elu.elu\n  alpha: 0.5\nseed: 7\n"
    ),
    "my/activation/referring.yaml": (
        "_target_: backproof.network.activations.leaky_relu.leaky_relu\nslope: ${relu_at_zero}\n"
    ),
    "my/activation/relu.yaml": "# instead of the package's\n_target_: own_code.bump\nwidth: 0.5\n",
    "my/clip/short.yaml": "_target_: backproof.network.clips.floor.floor\n",
    "my/training/short.yaml": "_target_: backproof.training.optimisers.adam.adam\nbeta1: 0.7\n",
    "my/data/table.yaml": "defaults: [file, _self_]\npath: table.csv\ntarget: \"y's\"\n",
    "my/data/open.yaml": "_target_: backproof.data.file.file\npath: ???\n",
    "my/subject/outside.yaml": (
        "by: function\n_target_: own_code.backprop\nstart: own_code.start\n"
        "text: a\nflag: 1\nnumbers: [1, 2]\n"
    ),
    "my/subject/kernel.yaml": (
        "by: vjp\n_target_: own_code.forward\nbackward: own_code.backward\nshape: [3]\ntext: a\nflag: 1\n"
    ),
    "my/variant/a.yaml": (
        "# @package _global_\ndefaults:\n  - override /loss: squared_error\nnetwork:\n  init_scale: 0.5\n"
    ),
    "my/variant/b.yaml": "# @package _global_\nrelu_at_zero: 0.25\nactivation:\n  slope: 0.2\n",
    "my/experiment/preset.yaml": (
        "# @package _global_\ndefaults:\n  - override /activation: leaky_relu\n"
        "  - override /check: sampled\nseed: 5\nactivation:\n  slope: 0.3\n"
    ),
    "my/experiments/ours.yaml": (
        "question: Why?\noverrides: {data: xor}\ngrid:\n"
        "  - {activation: [tanh, elu], seed: '${oc.env:NUMBER}'}\n"
        "  - {clip.eps: [1.0e-07, 0.25], ++loss.l2: 0.125, output: '${activation}'}\n"
    ),
    "my/first.yaml": (
        "defaults:\n  - config\n  - override data: moons\n  - override activation: tanh\n  - _self_\n"
        "seed: 11\nloss:\n  l2: 0.01\nnetwork:\n  hidden: [4, 3]\n"
    ),
    "my/second.yaml": (
        "defaults:\n  - subject: network\n  - data: xor\n  - network: small\n  - activation: silu\n"
        "  - output: ${activation}\n  - loss: squared_error\n  - clip: short\n  - precision: float32\n"
        "  - delta: exact\n  - kink: assign\n  - fault: none\n  - check: full\n  - training: adam\n"
        "  - engine: serial\n  - _self_\n  - override hydra/sweeper: backproof\nrelu_at_zero: 0.5\nseed: 2\n"
        "experiment: ours\nname: null\nhydra:\n  searchpath: ['file://more']\n"
    ),
    "more/activation/odd.yaml": 'value: "sin(z)"\n',
    "more/network/odd.yaml": "hidden: [5]\ninit_scale: 3\nbias: zero\n",
    "table.csv": "a,y's\n0,0\n1,1\n2,0\n3,1\n",
    "a 'b' ü.csv": "a,y's\n0,0\n1,1\n2,0\n3,1\n",
}  # fmt: skip


def write_files(folder: Path) -> None:
    """Write them all."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
