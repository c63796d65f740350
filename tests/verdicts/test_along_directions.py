"""A gradient that is checked along random directions: what each tensor's line and each cause says."""

import numpy as np
import pytest

import backproof

DRAW = np.random.default_rng(0)
W = {"a": DRAW.standard_normal((6, 5)), "b": DRAW.standard_normal(40), "c": DRAW.standard_normal(())}


def f(w):
    return float(np.sin(w["a"]).sum() + np.exp(w["b"]).sum() + w["c"] ** 2)


def right(w):
    return {"a": np.cos(w["a"]), "b": np.exp(w["b"]), "c": np.asarray(2 * w["c"])}


def check(**changed):
    """Checked along directions, with some tensors' gradients changed."""

    def df(w):
        found = right(w)
        return found | {name: np.asarray(change(found[name])) for name, change in changed.items()}

    return backproof.check(f, W, df=df, directions=True)


def test_a_right_gradient_agrees_in_every_tensor():
    found = check()
    assert found.verdict == "agrees"
    assert found.judgement.gradient_error < 1e-6
    assert found.parameters().empty
    assert found.target.directions > 0
    assert f"{found.target.directions} random directions, " in str(found)


def at(index, value):
    def change(g):
        wrong = g.copy()
        wrong[index] = value
        return wrong

    return change


def test_single_wrong_entries_are_found_with_both_numbers():
    found = check(b=lambda g: at(3, 9.5)(at(30, -7.25)(g)))
    (cause,) = found.judgement.causes
    numbers = [
        f"W['b'][{k}] is {value:g}, numerical {np.exp(W['b'][k]):.6g}" for k, value in ((3, 9.5), (30, -7.25))
    ]
    name, _, rest = cause.detail.partition(": ")
    assert (cause.name, name) == ("not identified", "W['b']")
    assert sorted(rest.split("; ")) == sorted(numbers)
    assert (cause.parameters, cause.error) == (1, pytest.approx(1))
    a, b, c = found.judgement.tensors
    assert [t.verdict for t in (a, b, c)] == ["agrees", "incorrect gradient", "agrees"]
    assert [t.disagreeing for t in (a, b, c)] == [0, 2, 0]
    off = {f"W['b'][{k}]": abs(value - np.exp(W["b"][k])) for k, value in ((3, 9.5), (30, -7.25))}
    assert b.worst == max(off, key=off.get)
    assert abs(b.analytic - b.numerical) == pytest.approx(off[b.worst], rel=1e-6)
    assert 0 < b.bound < 1e-3
    assert np.isnan([b.low, b.high]).all()
    assert (b.touched, b.crossed) == (0, 0)
    assert (a.worst, a.size, c.size) == ("W['a'], along a direction", 30, 1)


def test_a_structure_of_a_tensor_is_named():
    found = check(a=lambda g: 3 * g)
    assert found.causes == ("scale: W['a']: the gradient is 3 times the right one",)
    assert found.judgement.tensors[0].worst == "W['a'], along a direction"
    assert found.judgement.tensors[0].disagreeing == 0


def test_the_tensor_with_the_larger_error_comes_first_and_shares_add_up():
    found = check(a=lambda g: 3 * g, b=lambda g: g.copy()[::-1])
    assert {c.detail.partition(":")[0] for c in found.judgement.causes} == {"W['a']", "W['b']"}
    first, second = found.judgement.causes
    assert first.error > second.error
    assert first.error + second.error == pytest.approx(1)


def test_what_all_tensors_share_is_one_cause():
    found = check(a=np.negative, b=np.negative, c=np.negative)
    assert found.causes == ("sign: the gradient is the negative of the right one, everywhere",)


def test_many_wrong_entries_are_a_range():
    factors = 1 + DRAW.uniform(0.5, 1, 40) * (np.arange(40) >= 10)
    (cause,) = check(b=lambda g: g * factors).judgement.causes
    assert cause.name == "not identified"
    assert "many between W['b'][1" in cause.detail
    assert cause.detail.endswith("and W['b'][39]")


@pytest.mark.parametrize(("error", "verdict"), [(1e-13, "agrees"), (1e-3, "incorrect gradient")])
def test_an_error_of_a_thousandth_is_seen(error, verdict):
    assert check(b=lambda g: g * (1 + error)).verdict == verdict
