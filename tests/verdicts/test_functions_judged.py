"""A function before the judge: what differs, what is not finite, what is said of its wrong entries."""

from types import SimpleNamespace

import numpy as np
import pytest
from verdicts.test_tensors import compared

import backproof
from backproof.targets.findings import Finding
from backproof.targets.function import Function
from backproof.verdicts.causes import Cause, Departure, explained_by
from backproof.verdicts.function import FunctionTarget, check_function, with_trials
from backproof.verdicts.judgement import Judgement
from backproof.verdicts.measuring import FULL, Sampling
from backproof.verdicts.second import check_second
from backproof.verdicts.verdict import Verdict

W = np.array([0.3, -0.7, 1.1, 2.0])


def f(w):
    return float(np.sin(w).sum())


def target(f=f, df=np.cos, w=W, **sampling):
    with np.errstate(all="ignore"):
        return FunctionTarget(Function(np.asarray(w), f=f, df=df), Sampling(**sampling))


# Two calls


def changing(*, loss=(1.0, 1.0), gradient=(W, W), **sampling):
    """A target whose function gives other values once it has been evaluated at its point."""
    now = {"loss": loss[0], "gradient": gradient[0]}
    found = target(lambda _w: now["loss"], lambda _w: np.asarray(now["gradient"]), **sampling)
    now |= {"loss": loss[1], "gradient": gradient[1]}
    return found


def differs(*, gradient_too=True, **values):
    return changing(**values).difference_between_calls(gradient=gradient_too)


def test_two_calls_must_give_one_loss():
    assert differs() == differs(gradient_too=False) == ""
    assert differs(loss=(1.0, 1.5), gradient_too=False) == "the loss: 1.0, 1.5"
    assert differs(loss=(np.nan, np.nan)) == ""
    assert differs(loss=(np.nan, 1.0)).startswith("the loss: ")
    assert differs(loss=(1.0, np.nan)).startswith("the loss: ")


def test_two_calls_must_give_one_gradient_but_for_what_is_allowed():
    twice = (W, W + np.array([0, 0, 0.125, 0]))
    words = "the gradient, by up to 0.12 at W[2]"
    assert differs(gradient=twice) == words
    assert differs(gradient=twice, gradient_too=False) == ""
    assert differs(gradient=twice, nondeterminism=0.12) == words
    allowed = changing(gradient=twice, nondeterminism=0.13)
    assert allowed.difference_between_calls(gradient=True) == ""
    assert allowed.notes == (f"two calls differ in {words}; 0.13 is allowed",)


def test_entries_that_are_not_a_number_twice_are_no_difference():
    one, other = np.array([np.nan, 1, 2, 3]), np.array([np.nan, 1, 2, 3.5])
    assert differs(gradient=(one, one)) == ""
    assert differs(gradient=(one, other)) == "the gradient, by up to 0.5 at W[3]"
    assert differs(gradient=(one, np.arange(4.0)), nondeterminism=1e9).endswith("inf at W[0]")


# What is not finite


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({"f": lambda _w: np.nan}, Cause("loss not finite", "it is nan")),
        (
            {"df": lambda w: np.where(w > 1, np.inf, w)},
            Cause("analytic gradient not finite", "first at W[2], which is inf"),
        ),
        (
            {"f": lambda w: 0.0 if np.array_equal(w, W) else np.nan},
            Cause("numerical gradient not finite", "within a step of W[0]"),
        ),
        (
            {"f": lambda _w: 1.0, "df": np.ones_like, "w": [1, np.inf, 2, np.nan]},
            Cause("parameters not finite", "first at W[1], which is inf"),
        ),
    ],
)
def test_what_is_not_finite_is_named_with_its_place(given, cause):
    given = {"f": f, "df": np.cos, "w": W} | given
    found = check_function(Function(np.asarray(given.pop("w")), **given))
    assert (found.verdict, found.judgement.causes) == ("not finite", (cause,))


# Trials


def with_finding(verdict, *, wrong, causes=()):
    function = Function(W, f=f, df=np.cos)
    function.trials.append(lambda: [Finding("double backward", "it differs", wrong)])
    return with_trials(Judgement(Verdict(verdict), tuple(causes), 4), function), function


def test_a_trial_that_fails_refuses_what_differences_allow():
    sign, trial = Cause("kink touched"), Cause("double backward", "it differs")
    found, _ = with_finding("agrees", wrong=True)
    assert (found.verdict, found.causes, found.refused) == ("incorrect gradient", (trial,), (trial,))
    found, _ = with_finding("valid subgradient", wrong=True, causes=[sign])
    assert (found.verdict, found.causes) == ("incorrect gradient", (trial, sign))
    found, _ = with_finding("unresolved", wrong=True, causes=[sign])
    assert (found.verdict, found.causes, found.refused) == ("unresolved", (sign, trial), (trial,))


def test_a_trial_that_finds_something_odd_is_a_note():
    found, function = with_finding("agrees", wrong=False)
    assert (found.verdict, found.causes, found.refused) == ("agrees", (), ())
    assert list(function.notes) == ["double backward: it differs"]


def test_nothing_is_tried_where_two_calls_differ():
    found, function = with_finding("not deterministic", wrong=True)
    assert (found.verdict, found.refused, list(function.notes)) == ("not deterministic", (), [])


def test_the_hessian_is_compared_only_where_the_gradient_is_right():
    second = Function(W[:2], f=lambda w: float(w @ w), df=lambda w: 2 * w)
    right, wrong = (Function(W, f=f, df=df) for df in (np.cos, np.sin))
    assert check_second(None, lambda: second, Sampling()).target.function is second
    assert check_second(right, lambda: second, Sampling()).target.function is second
    found = check_second(wrong, lambda: pytest.fail("not asked for"), Sampling())
    assert (found.verdict, found.target.function) == ("incorrect gradient", wrong)
    assert found.target.notes[-1].startswith("the Hessian is not compared")


# Sampling


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "agrees"), (1.002, "incorrect gradient")])
def test_unless_asked_otherwise_every_entry_is_compared_to_a_thousandth(factor, verdict):
    found = check_function(Function(W, f=f, df=lambda w: factor * np.cos(w)))
    assert (found.verdict, found.judgement.parameters, found.judgement.screen) == (verdict, 4, None)
    chosen = Sampling()
    assert (chosen.resolution, chosen.rtol, chosen.nondeterminism, chosen.screened) == (1e-3, 0, 0, False)
    assert (chosen.seed, chosen.parameters, chosen.directions, chosen.blocks) == (0, None, None, None)


def test_beyond_ten_thousand_parameters_directions_are_taken():
    assert not Sampling().along_directions(FULL)
    assert Sampling().along_directions(FULL + 1)
    assert not Sampling(parameters=50).along_directions(FULL + 1)
    assert Sampling(parameters=FULL + 1).along_directions(10)
    assert Sampling(directions=True).along_directions(1)
    assert not Sampling(directions=False).along_directions(FULL + 1)
    assert FULL == 10_000


def test_parameters_are_drawn_once_and_in_order():
    draw = Sampling(parameters=5).drawn(100, np.random.default_rng(0))
    assert len(set(draw.tolist())) == 5
    assert draw.tolist() == sorted(draw.tolist())
    for count in (None, 4, 9):
        assert Sampling(parameters=count).drawn(4, np.random.default_rng(0)).tolist() == [0, 1, 2, 3]


def test_values_of_single_precision_are_told():
    assert not target().rounds_to_single()
    assert target(lambda w: float(np.float32(np.sin(w).sum()))).rounds_to_single()


def test_noise_is_remarked_from_ten_thousand_roundings_on():
    def noisy(digits):
        return backproof.check(lambda w: round(float(np.sin(w).sum()), digits), W, df=np.cos)

    assert any("values of the loss err by up to" in note for note in noisy(9).target.notes)
    assert noisy(14).target.notes == ()
    single = backproof.check(lambda w: float(np.float32(np.sin(w).sum())), W, df=np.cos)
    assert any("as float32's are" in note for note in single.target.notes)
    assert not any("as float32's are" in note for note in noisy(4).target.notes)


# Wrong entries in words


def causes(gradient, f=f, w=W, **given):
    return backproof.check(f, np.asarray(w), df=lambda _w: np.asarray(gradient), **given).causes


G = np.cos(np.arange(1.0, 21).reshape(5, 4))
ODD = 1 + 0.1 * np.random.default_rng(8).uniform(1, 2, (5, 4))


def of_matrix(changed):
    w = np.arange(1.0, 21).reshape(5, 4)
    return causes(np.where(changed, G * ODD, G), lambda w: float(np.sin(w).sum()), w)


def test_where_the_wrong_entries_of_a_matrix_lie():
    rows, columns = np.arange(5)[:, None], np.arange(4)
    assert of_matrix((rows == 2) & (columns >= 0)) == ("not identified: W: row 2; of rank 1",)
    assert of_matrix((columns == 1) & (rows >= 0)) == ("not identified: W: column 1; of rank 1",)
    assert of_matrix(rows >= 0) == ("not identified: W: every entry",)
    same = G + np.where(rows >= 0, 0.3 * np.arange(4) ** 2 + 0.1, 0)
    found = causes(same, lambda w: float(np.sin(w).sum()), np.arange(1.0, 21).reshape(5, 4))
    assert found == ("not identified: W: every entry; the same in every row",)


def test_what_wrong_entries_have_in_common():
    w = np.append(W, [0.0, 0.9])

    def kinked(w):
        return float(np.sin(w[:4]).sum() + abs(w[4]) + w[5] ** 2)

    right = np.append(np.cos(W), [0.5, 1.8])
    outside = right + np.array([0, 0, 0, 0, 1.5, 0])
    (found,) = causes(outside, kinked, w)
    assert found == (
        "not identified: W: the entry [4]; there a kink is touched, and the value lies outside the "
        "derivatives around it"
    )
    assert causes(right, kinked, w)[0].startswith("kink touched")


def test_entries_that_do_not_count_and_have_a_gradient():
    w = W.reshape(2, 2)
    right = np.cos(w) * [[1, 1], [1, 0]]
    (found,) = causes(right + np.array([[0, 0], [0, 0.5]]), lambda w: float(np.sin(w.ravel()[:3]).sum()), w)
    assert found == (
        "not identified: W: the entry [1,1]; there the loss does not change at all, and the gradient is not "
        "zero"
    )


def test_small_errors_come_with_a_tolerance_that_allows_for_them():
    odd = np.array([1, -2, 3, -1.5])
    found = causes(np.cos(W) * (1 + 2e-5 * odd))
    assert found[-1] == (
        "small errors: no entry is off by more than 6.0e-05 of its size; if an inner solver, a numerical "
        "derivative or an approximation is why, rtol=1e-04 allows for it"
    )
    assert "small errors" in causes(np.cos(W) * (1 + 3.3e-5 * odd))[-1]
    assert "small errors" not in causes(np.cos(W) * (1 + 3.4e-5 * odd))[-1]


# Departures as causes


def explained(*departures, bound=0.1):
    comparison = compared(np.zeros(4), np.zeros(4), bound=bound)
    return explained_by(
        [Departure(n, d, layer, np.array(m), clip) for n, d, layer, m, clip in departures], comparison
    )


def test_departures_of_one_name_in_several_layers_are_one_cause():
    found = explained(
        ("sign", "× −1", 2, [1.0, -2, 0, 0], False), ("sign", "× −1", 1, [0, 0, 3, 0.05], True),
        ("zero", "", 2, [0, 0, 0, 4.0], True),
    )  # fmt: skip
    total = 3 + 3.05 + 4
    sign, zero = found.causes
    assert (sign.name, sign.layers, sign.parameters) == ("sign", (2, 1), 0.5)
    assert sign.error == pytest.approx(6.05 / total)
    assert (zero.name, zero.layers, zero.parameters, zero.error) == (
        "zero",
        (2,),
        0.25,
        pytest.approx(4 / total),
    )
    assert [(name, mask.tolist()) for name, mask in found.moved] == [
        ("sign", [True, True, False, False]), ("sign", [False, False, True, False]),
        ("zero", [False, False, False, True]),
    ]  # fmt: skip
    assert not found.only_at_clip


def test_departures_of_tensors_are_causes_of_their_own_the_largest_first():
    found = explained(("sign", "a: it", 0, [1.0, 0, 0, 0], True), ("sign", "b: it", 0, [0, 2.0, 0, 0], True))
    assert [(c.detail, c.layers, c.error) for c in found.causes] == [
        ("b: it", (), pytest.approx(2 / 3)), ("a: it", (), pytest.approx(1 / 3))
    ]  # fmt: skip
    assert found.only_at_clip
    assert not explained().only_at_clip
    nothing = explained(("sign", "a: it", 0, [0.0] * 4, False))
    assert (nothing.causes[0].error, nothing.causes[0].parameters) == (0, 0)


def test_causes_in_words():
    assert str(Cause("sign")) == "sign"
    assert str(Cause("sign", "× −1", (2, 1))) == "sign (layer 2, 1): × −1"


def test_a_target_knows_what_it_was_given():
    here = target(resolution=0.01, rtol=0.002)
    assert (here.size, here.precision, here.resolution, here.rtol) == (4, "float64", 0.01, 0.002)
    assert (here.directions, here.probability_of_a_miss) == (0, 0)
    assert here.parameters.tolist() == W.tolist()
    along = target(directions=True)
    assert along.directions > 0
    assert along.probability_of_a_miss == pytest.approx(0.0039, rel=0.01)
    assert (here.details, here.curves(), here.finer(), here.clipped(), here.remarks()) == (
        None,
        {},
        None,
        False,
        [],
    )
    before = here.evaluations
    here.elsewhere = SimpleNamespace(evaluations=7)
    assert here.evaluations == before + 7
