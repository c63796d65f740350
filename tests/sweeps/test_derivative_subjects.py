"""Derivatives of functions of arrays as the subject of a sweep: right ones agree, wrong ones are refused."""

import io
import os
import shlex
import sys
import zipfile

import forked
import numpy as np
import pandas as pd
import pytest

from backproof.errors import ConfigurationError, FunctionError
from backproof.interfaces.arguments import read
from backproof.interfaces.cli import request_of, session_of
from backproof.sweeps.derivatives import arrays_of
from backproof.sweeps.inputs import made_as
from backproof.sweeps.one_case import check_cell

PYTHON = """
import numpy as np

def layer_norm(x, gain, bias, eps=1e-5):
    c = x - x.mean(-1, keepdims=True)
    y = c / np.sqrt((c * c).mean(-1, keepdims=True) + x.dtype.type(eps))
    return (y * gain + bias).astype(x.dtype)

def layer_norm_backward(g, x, gain, bias, eps=1e-5, factor=1.0):
    c = x - x.mean(-1, keepdims=True)
    s = np.sqrt((c * c).mean(-1, keepdims=True) + x.dtype.type(eps))
    y, u = c / s, g * gain * x.dtype.type(factor)
    dx = (u - u.mean(-1, keepdims=True) - y * (u * y).mean(-1, keepdims=True)) / s
    return dx.astype(x.dtype), (g * y).sum(0), g.sum(0)

def kept(x, w):
    return np.tanh(x) * w, (x, w)

def of_kept(kept, g, factor=1.0):
    x, w = kept
    y = np.tanh(x)
    return g * w * (1 - y * y) * factor, g * y

def tanh(x):
    return np.tanh(x)

def pushforward(v, x, factor=1.0):
    return v * (1 - np.tanh(x) ** 2) * factor

def both(primals, tangents, factor=1.0):
    return tanh(*primals), pushforward(*tangents, *primals, factor=factor)

def tanh_jac(x, factor=1.0):
    return np.diag(pushforward(np.ones(x.size), x.ravel(), factor))

def cubes(w):
    return (w**3).sum()

def gradient(w, slope=3.0):
    return slope * w**2

def hessian(w, factor=1.0):
    return np.diag(6 * w.ravel() * factor)

def hvp(v, w, factor=1.0):
    return 6 * w * v * factor

def start(seed, shape=(2, 3), precision="float64"):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape).astype(precision), rng.normal(size=shape).astype(precision)

def alone(seed):
    return np.random.default_rng(seed).normal(size=(2, 3))

def product(x, w):
    return x * w

def contiguous_only(g, x, w):
    g = np.ndarray(g.shape, g.dtype, np.lib.stride_tricks.as_strided(g, (g.size,), (g.itemsize,)).tobytes())
    return g * w, g * x

def rounds(x):
    return np.tanh(x.astype(np.float16))

def rounds_backward(g, x):
    return g * (1 - rounds(x) ** 2)

def exact(x):
    return np.tanh(x)

def rows(table, index):
    return table[index]

def rows_backward(g, table, index):
    found = np.zeros_like(table)
    np.add.at(found, index, g)
    return found, None

def scaled(x, by=None, plus=None):
    return x if by is None else x * by + plus

def scaled_backward(g, x, by=None, plus=None):
    return g if by is None else (g * by, (g * x).sum(), g)
"""

TORCH = """
import torch

class Tanh(torch.autograd.Function):
    factor = 1.0

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.tanh(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (1 - torch.tanh(x) ** 2) * Tanh.factor

def tanh(x, factor=1.0):
    Tanh.factor = factor
    return Tanh.apply(x)

def plain(x):
    return torch.tanh(x)

def backward(g, x, factor=1.0):
    return g * (1 - torch.tanh(x) ** 2) * factor

def rows(table, index):
    return table[index]

def strides(g, x):
    assert g.is_contiguous() and x.is_contiguous(), (g.stride(), x.stride())
    return backward(g, x)
"""

JAX = """
import jax.numpy as jnp

def tanh(x):
    return jnp.tanh(x)

def backward(g, x, factor=1.0):
    return (g * (1 - jnp.tanh(x) ** 2)).at[0, 0].multiply(factor)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A user's folder with modules of functions."""
    for name, text in (("arrays", PYTHON), ("tensors", TORCH), ("traced", JAX)):
        (tmp_path / f"{name}_of_mine.py").write_text(text)
        monkeypatch.delitem(sys.modules, f"{name}_of_mine", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def cell(folder):  # noqa: ARG001  # in which it is
    """Overrides to the one cell that they mean."""

    def make(*overrides):
        arguments = read("check", list(overrides))
        return session_of(arguments).cell(request_of(arguments))

    return make


@pytest.fixture
def checked(cell):
    """Overrides to the check of the one cell that they mean."""
    return lambda *overrides: check_cell(cell(*overrides))


def named(kind, module="arrays", **functions):
    target = functions.pop("f")
    keys = {"_target_": target, **functions}
    return [f"subject={kind}", *(f"subject.{key}={module}_of_mine.{name}" for key, name in keys.items())]


KINDS = {
    "vjp": [
        *named("vjp", f="layer_norm", backward="layer_norm_backward"), "subject.shape=[[5,3],[3],[3]]",
    ],
    "vjp with residuals": [*named("vjp", f="kept", backward="of_kept"), "subject.residuals=true"],
    "jvp": named("jvp", f="tanh", pushforward="pushforward"),
    "jvp of primals": [*named("jvp", f="tanh", pushforward="both"), "subject.primals=true"],
    "jacobian": named("jacobian", f="tanh", jac="tanh_jac"),
    "hessian": named("hessian", f="cubes", df="gradient", hessian="hessian"),
    "hvp": named("hvp", f="cubes", df="gradient", hvp="hvp"),
}  # fmt: skip


SMALL = "subject.input_scale=0.5"
"""Inputs at which tanh is not saturated."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_derivative_agrees_and_one_that_is_off_by_a_thousandth_does_not(checked, kind):
    checked(*KINDS[kind]).assert_agrees(5)
    wrong = checked(*KINDS[kind], "subject.factor=1.001")
    assert wrong.verdict == "incorrect gradient", wrong
    if kind != "vjp":
        assert "1.001 times the right one" in wrong.causes[0]


def test_a_gradient_comes_before_its_hessian(checked):
    found = checked(*KINDS["hessian"], "subject.slope=3.003")
    assert found.verdict == "incorrect gradient"
    assert any("the Hessian is not compared" in note for note in found.target.notes)


@pytest.mark.parametrize("precision", ["float16", "bfloat16", "float32", "longdouble"])
def test_precision_is_that_of_the_arrays(checked, precision):
    pytest.importorskip("ml_dtypes")
    found = checked(*KINDS["vjp"], f"precision={precision}")
    assert found.agrees, found
    assert found.target.precision == (str(np.dtype(precision)) if "long" in precision else precision)
    wrong = checked(*KINDS["vjp"], f"precision={precision}", "subject.factor=1.5")
    assert wrong.verdict == "incorrect gradient", wrong


@pytest.mark.parametrize("precision", ["float8_e4m3fn", "float8_e5m2"])
def test_of_eight_bits_little_can_be_seen_but_a_gradient_that_is_four_times_too_large(checked, precision):
    pytest.importorskip("ml_dtypes")
    assert checked(*KINDS["vjp"], f"precision={precision}").verdict in ("agrees", "unresolved")
    wrong = checked(*KINDS["vjp"], f"precision={precision}", "subject.factor=4.0")
    assert wrong.target.precision == precision
    assert wrong.verdict == "incorrect gradient", wrong


def test_low_precision_starts_from_the_same_numbers(cell):
    high, low = (cell(*KINDS["hvp"], f"precision={kind}").case for kind in ("float64", "float32"))
    import arrays_of_mine

    x, y = (made_as(arrays_of(c, arrays_of_mine.cubes), c.precision, "numpy")[0] for c in (high, low))
    assert (x.dtype, y.dtype) == (np.float64, np.float32)
    assert np.array_equal(x.astype(np.float32), y)


def test_a_reference_is_needed_where_the_forward_pass_rounds(checked):
    given = [*named("vjp", f="rounds", backward="rounds_backward"), "precision=float16", SMALL]
    with pytest.raises(FunctionError, match="returns float16 for inputs in float64"):
        checked(*given)
    assert checked(*given, "subject.reference=arrays_of_mine.exact").agrees


def test_drawn_inputs_are_of_the_distribution_size_and_shape_that_is_asked_for(cell):
    def drawn(*overrides):
        case = cell(*named("vjp", f="product", backward="contiguous_only"), *overrides).case
        import arrays_of_mine

        return arrays_of(case, arrays_of_mine.product)

    x, w = drawn("subject.shape=[200,30]")
    assert x.shape == w.shape == (200, 30)
    assert abs(x.mean()) < 0.05
    assert abs(x.std() - 1) < 0.05
    assert not np.array_equal(x, w)
    x, w = drawn("subject.shape=[[7],[]]", "subject.distribution=exponential", "subject.input_scale=3")
    assert (x.shape, w.shape) == ((7,), ())
    assert (x > 0).all()
    large, _ = drawn("subject.shape=[200,30]", "subject.distribution=uniform", "subject.input_scale=3")
    assert 2.9 < np.abs(large).max() < 3
    one, two = (drawn(f"seed={seed}")[0] for seed in (0, 1))
    assert not np.array_equal(one, two)


def test_a_start_makes_the_inputs_and_takes_what_is_asked_of_drawn_ones(checked, cell):
    given = [*named("vjp", f="product", backward="contiguous_only", start="start")]
    assert checked(*given).judgement.parameters == 2 * 36
    found = checked(*given, "subject.shape=[5]", "precision=float32")
    assert found.judgement.parameters == 2 * 25
    assert found.target.precision == "float32"
    case = cell(*named("hvp", f="cubes", df="gradient", hvp="hvp", start="alone"), "precision=float32").case
    assert case.precision is None
    assert case.subject.arrays is None


def test_a_layout_is_that_of_every_argument(checked):
    given = named("vjp", f="product", backward="contiguous_only")
    assert checked(*given).agrees
    for layout, verdict in (("column_major", "incorrect gradient"), ("gaps", "not finite")):
        assert checked(*given, f"subject.layout={layout}").verdict == verdict
        assert checked(*KINDS["vjp"], f"subject.layout={layout}").agrees


def test_tensors(checked):
    pytest.importorskip("torch")
    by_hand = named("vjp", "tensors", f="plain", backward="backward")
    made = named("vjp", "tensors", f="tanh")
    for given in (by_hand, made):
        for precision in ("float64", "float32", "bfloat16"):
            asked = (*given, "subject.arrays=torch", f"precision={precision}", SMALL)
            right = checked(*asked)
            assert right.agrees, right
            assert right.target.precision == precision
            assert checked(*asked, "subject.factor=1.2").verdict == "incorrect gradient"
    strict = [*named("vjp", "tensors", f="plain", backward="strides"), "subject.arrays=torch"]
    assert checked(*strict).agrees
    with pytest.raises(FunctionError, match=r"tensors_of_mine.py:\d+, strides: raises AssertionError"):
        checked(*strict, "subject.layout=column_major")
    with pytest.raises(FunctionError, match="raises AssertionError"):
        checked(*strict, "subject.layout=gaps", "precision=bfloat16")


def test_arrays_of_jax(checked):
    pytest.importorskip("jax")
    for precision in ("float64", "float32", "bfloat16"):
        made = [*named("vjp", "traced", f="tanh"), "subject.arrays=jax", f"precision={precision}", SMALL]
        assert checked(*made).agrees
        by_hand = [*made, "subject.backward=traced_of_mine.backward"]
        assert checked(*by_hand).agrees
        assert checked(*by_hand, "subject.factor=1.5").verdict == "incorrect gradient"


MIXED = [
    *KINDS["vjp"][:-1], "subject.shape=[[5,3],[3],[3]],[[7,6],[6],[6]]", "subject.factor=1.0,1.1",
    "precision=float64,float16", "seed=0,1",
]  # fmt: skip


def swept(folder, name, *arguments, left_out="report"):
    done = forked.program("sweep", "-m", *arguments, f"name={name}", cwd=folder, left_out=left_out)
    assert done.returncode in (0, 1), done.stderr
    return pd.read_csv(folder / "results" / name / "cells.csv")


@pytest.mark.slow
def test_a_sweep_has_the_same_bits_in_any_number_of_workers_and_commands_make_its_cells_again(folder, cell):
    two = swept(folder, "two", *MIXED, "engine.jobs=2", left_out="")
    one = swept(folder, "one", *MIXED, "engine=serial")
    left_out = ["seconds", "attempts"]
    pd.testing.assert_frame_equal(two.drop(columns=left_out), one.drop(columns=left_out))
    assert set(two["status"]) == {"ok"}
    assert set(two["subject.shape"]) == {"[[5,3],[3],[3]]", "[[7,6],[6],[6]]"}
    verdicts = two.groupby("subject.factor")["verdict"].unique()
    assert list(verdicts[1.0]) == ["agrees"]
    assert list(verdicts[1.1]) == ["incorrect gradient"]
    for _, row in two.iterrows():
        program, command, *words = shlex.split(row["command"])
        assert (program, command) == ("backproof", "check")
        assert cell(*words).case.id == row["cell"]
    figures = [path.stem for path in (folder / "results" / "two" / "figures").glob("*.svg")]
    assert any(name.startswith("02-gradient-error") for name in figures), figures


def test_a_check_on_the_command_line(folder):
    given = ("check", *KINDS["jacobian"], "subject.factor=1.1", "--plot", "name=one")
    done = forked.program(*given, cwd=folder)
    assert done.returncode == 1
    assert "incorrect gradient" in done.stdout
    assert (folder / "results" / "one" / "check.svg").is_file()


WRONG = {
    "a missing backward pass": (
        named("vjp", f="tanh"), "subject.backward: must name a function, unless PyTorch or JAX make",
    ),
    "a missing pushforward": (named("jvp", f="tanh"), "subject.pushforward: must name a function, as in"),
    "no function": (["subject=vjp"], "subject._target_: must name a function, as in"),
    "one that is not there": (
        named("jacobian", f="tanh", jac="tanh_jack"), "subject.jac: cannot import arrays_of_mine.tanh_jack",
    ),
    "no such parameter": (
        [*KINDS["vjp"], "subject.epps=1"],
        "subject.epps: arrays_of_mine.layer_norm has no such parameter; did you mean 'eps'?",
    ),
    "no such key": (
        [*named("jvp", f="tanh", pushforward="pushforward"), "subject.shapes=[3]"], "did you mean 'shape'?",
    ),
    "no shape": ([*KINDS["jvp"], "subject.shape=3"], "subject.shape: must be a list of sizes, as in [8,3]"),
    "a size of nothing": ([*KINDS["jvp"], "subject.shape=[3,0]"], "subject.shape: must be a list of sizes"),
    "too few shapes": (
        [*KINDS["vjp"], "subject.shape=[[5,3],[3]]"],
        "subject.shape: must have 3 shapes, one for each of x, gain, bias; not 2",
    ),
    "too many numbers": (
        [*KINDS["jvp"], "subject.shape=[100000,100000]"], "at most 33,554,432 numbers; not 10,000,000,000",
    ),
    "a layout": (
        [*KINDS["jvp"], "subject.layout=columns"],
        "subject.layout: must be one of contiguous, column_major, gaps; not 'columns'",
    ),
    "a library": ([*KINDS["jvp"], "subject.arrays=pytorch"], "must be null or one of numpy, torch, jax"),
    "a layout in JAX": (
        [*KINDS["jvp"], "subject.arrays=jax", "subject.layout=gaps"], "arrays of JAX have none; not gaps",
    ),
    "a flag": ([*KINDS["jvp"], "subject.primals=2"], "subject.primals: must be true or false; not 2"),
    "a precision for backward passes": (
        [*KINDS["jvp"], "precision=bfloat16"], "precision: bfloat16 is for vjp alone; not for jvp",
    ),
    "a precision that PyTorch has not": (
        [*KINDS["jvp"], "subject.arrays=torch", "precision=longdouble"], "PyTorch has no longdouble",
    ),
    "no check": ([*KINDS["jvp"], "check=none"], "check: there is nothing but the check for subject=jvp"),
    "a kind": ([*KINDS["jvp"], "subject.by=jpv"], "subject.by: must be one of function, torch, jax, vjp"),
    "what a start does not take": (
        [*named("hvp", f="cubes", df="gradient", hvp="hvp", start="alone"), "subject.shape=[3]"],
        "subject.shape: has no effect, since subject.start makes the inputs",
    ),
    "a start that is a number": ([*KINDS["jvp"], "subject.start=3"], "subject.start: must name a function"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_one_line_that_names_the_key(cell, what):
    overrides, message = WRONG[what]
    with pytest.raises(ConfigurationError) as refused:
        cell(*overrides)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_shapes_that_do_not_fit_are_the_functions_own_error(folder):
    cells = swept(folder, "fit", *KINDS["vjp"][:-1], "subject.shape=[[5,3],[4],[3]],[[5,3],[3],[3]]")
    assert list(cells["status"]) == ["failed", "ok"]
    assert f"{folder / 'arrays_of_mine.py'}:7, layer_norm: raises ValueError" in cells["error"][0]


# --- inputs that were captured from a run

CAPTURED = {
    "x": np.linspace(-1, 2, 12).reshape(4, 3).astype(np.float32),
    "gain": np.array([1.0, -2, 0.5], np.float32),
    "bias": np.array([0.25, 0, 3], np.float32),
}
OF_FILE = KINDS["vjp"][:-1]


def test_inputs_of_a_file_are_found_by_name_and_taken_in_the_precision_that_is_asked_for(
    folder, cell, checked
):
    import arrays_of_mine

    np.savez(folder / "run.npz", **dict(reversed(CAPTURED.items())))
    given = [*OF_FILE, "subject.inputs=run.npz"]
    case = cell(*given).case
    found = arrays_of(case, arrays_of_mine.layer_norm)
    assert all(map(np.array_equal, found, CAPTURED.values()))
    assert case.subject.shape is None
    assert checked(*given).agrees
    assert checked(*given).target.precision == "float64"
    assert checked(*given, "precision=float16").target.precision == "float16"
    assert checked(*given, "subject.factor=1.001").verdict == "incorrect gradient"


def test_a_files_content_is_in_the_id(folder, cell):
    given = [*OF_FILE, "subject.inputs=run.npz"]

    def written(**arrays):
        np.savez(folder / "run.npz", **arrays)
        os.utime(folder / "run.npz", ns=(0, next(times)))
        return cell(*given)

    times = iter(range(10**9, 10**10, 10**9))
    first, again = written(**CAPTURED), written(**CAPTURED)
    assert first.case.id == again.case.id
    assert written(**{**CAPTURED, "gain": CAPTURED["gain"] + 1}).case.id != first.case.id
    assert "subject.inputs=run.npz" in first.command
    assert cell(*shlex.split(first.command)[2:]).case.id == cell(*given).case.id


def test_a_file_that_changes_under_a_sweep_is_refused(folder, cell):
    np.savez(folder / "run.npz", **CAPTURED)
    planned = cell(*OF_FILE, "subject.inputs=run.npz")
    np.savez(folder / "run.npz", **{**CAPTURED, "gain": CAPTURED["gain"] + 1})
    os.utime(folder / "run.npz", ns=(1, 1))
    with pytest.raises(ConfigurationError, match=r"run.npz has changed since the sweep was planned"):
        check_cell(planned)


def test_files_are_an_axis(folder):
    for name, scale in (("one", 1), ("two", 1e-3)):
        np.savez(folder / f"{name}.npz", **{k: v * np.float32(scale) for k, v in CAPTURED.items()})
    cells = swept(folder, "files", *OF_FILE, "subject.inputs=one.npz,two.npz", "precision=float64,float32")
    assert len(cells) == 4
    assert set(cells["verdict"]) == {"agrees"}, cells["error"]
    assert cells["cell"].is_unique


def test_arrays_without_names_are_taken_in_order_and_whole_numbers_stay_such(folder, checked):
    np.savez(folder / "run.npz", np.linspace(0.1, 1, 8).reshape(4, 2), np.array([2, 0, 2]))
    given = [*named("vjp", f="rows", backward="rows_backward"), "subject.inputs=run.npz"]
    assert checked(*given).judgement.parameters == 6 * 8
    assert checked(*given, "precision=float16").agrees
    pytest.importorskip("torch")
    made = [*named("vjp", "tensors", f="rows"), "subject.inputs=run.npz", "subject.arrays=torch"]
    assert checked(*made).agrees


def test_parameters_with_a_default_are_inputs_where_the_file_has_them(folder, cell, checked):
    x = CAPTURED["x"]
    given = [*named("vjp", f="scaled", backward="scaled_backward"), "subject.inputs=run.npz"]
    np.savez(folder / "run.npz", x=x)
    assert checked(*given).judgement.parameters == 12 * 12
    np.savez(folder / "run.npz", x=x, by=np.float64(3), plus=x)
    os.utime(folder / "run.npz", ns=(1, 1))
    assert checked(*given).judgement.parameters == 12 * 25
    np.savez(folder / "run.npz", x=x, plus=x)
    os.utime(folder / "run.npz", ns=(2, 2))
    with pytest.raises(ConfigurationError, match=r"run.npz must hold by, too, since plus comes after it"):
        cell(*given)


def test_safetensors(folder, checked, cell):
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file(CAPTURED, folder / "run.safetensors")
    given = [*OF_FILE, "subject.inputs=run.safetensors"]
    assert checked(*given).agrees
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    kinds = torch.bfloat16, torch.float16, torch.float64
    arrays = {k: torch.tensor(v).to(kind) for (k, v), kind in zip(CAPTURED.items(), kinds, strict=True)}
    save_file(arrays, folder / "half.safetensors")
    import arrays_of_mine

    case = cell(*OF_FILE, "subject.inputs=half.safetensors").case
    for found, given in zip(arrays_of(case, arrays_of_mine.layer_norm), arrays.values(), strict=True):
        assert np.array_equal(found.astype(float), given.double().numpy())
    whole = (folder / "run.safetensors").read_bytes()
    for number, broken in enumerate((b"", whole[:-1], b"\xff" * 100, b"\x00" * 100)):
        (folder / f"{number}.safetensors").write_bytes(broken)
        with pytest.raises(ConfigurationError, match=r"^subject.inputs: \d.safetensors: not a readable"):
            cell(*OF_FILE, f"subject.inputs={number}.safetensors")


def test_without_the_package_the_extra_is_named(folder, cell, monkeypatch):
    (folder / "run.safetensors").write_bytes(b"any")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'backproof\[safetensors\]'"):
        cell(*OF_FILE, "subject.inputs=run.safetensors")


def saved(path, **arrays):
    np.savez(path, **arrays)


def claimed(path, **_):
    """An array that claims more numbers than there is memory for."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 24, 1 << 24)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue())


HOSTILE = {
    "no file": (None, {}, "run.npz: no such file"),
    "no archive": (lambda path: path.write_bytes(b"text"), {}, "not a readable NPZ"),
    "a pickle": (saved, {"x": np.array([{}], object)}, "not a readable NPZ (Object arrays cannot be loaded"),
    "text": (saved, {"x": np.array(["a"])}, "x must hold numbers; holds <U1"),
    "numbers that are not there": (claimed, {}, "x must hold at most 33,554,432 numbers; claims"),
    "nothing": (saved, {}, "holds no array"),
    "another name": (
        saved, {"x": np.ones((2, 3)), "gane": np.ones(3), "bias": np.ones(3)},
        "run.npz must hold x, gain, bias; not bias, gane, x; did you mean 'gane'?",
    ),
    "one too many": (
        saved, {**CAPTURED, "gane": np.ones(1)}, "gane of run.npz is no parameter of arrays_of_mine.layer_n",
    ),
    "too few in order": (
        saved, {"arr_0": np.ones(3), "arr_1": np.ones(3)}, "must hold 3 arrays, x, gain, bias; holds 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_that_cannot_be_used_is_one_line(folder, cell, what):
    write, arrays, message = HOSTILE[what]
    if write:
        write(folder / "run.npz", **arrays)
    with pytest.raises(ConfigurationError) as refused:
        cell(*OF_FILE, "subject.inputs=run.npz")
    assert str(refused.value).startswith("subject.inputs: ")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_a_file_decides_cannot_be_asked_for_besides(folder, cell):
    np.savez(folder / "run.npz", **CAPTURED)
    for setting in ("subject.shape=[3]", "subject.distribution=normal", "subject.input_scale=2"):
        with pytest.raises(ConfigurationError, match=r"has no effect on inputs that are in a file"):
            cell(*OF_FILE, "subject.inputs=run.npz", setting)
    with pytest.raises(ConfigurationError, match=r"must be a .npz or a .safetensors"):
        (folder / "run.pt").write_bytes(b"")
        cell(*OF_FILE, "subject.inputs=run.pt")
