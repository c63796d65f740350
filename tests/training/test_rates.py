"""Learning rates by an expression of the step: their values, and what one is refused for."""

import numpy as np
import pytest

from backproof.training.schedules import canonical_schedule, rates_of

SCHEDULES = {
    "learning_rate / (1 + step / 100)": lambda k: 0.1 / (1 + k / 100),
    "learning_rate * (1 + cos(pi * step / steps)) / 2": lambda k: 0.1 * (1 + np.cos(np.pi * k / 7)) / 2,
    "where(step < 3, learning_rate * (step + 1) / 3, 0.02)": lambda k: np.where(
        k < 3, 0.1 * (k + 1) / 3, 0.02
    ),
    "learning_rate * 0.5**(step / 10)": lambda k: 0.1 * 0.5 ** (k / 10),
    "0.25": lambda k: 0.25 + 0 * k,
}


@pytest.mark.parametrize("text", SCHEDULES)
def test_the_rate_of_each_step(text):
    found = rates_of(text, 0.1, 7)
    np.testing.assert_allclose(found, SCHEDULES[text](np.arange(7)), rtol=1e-14)
    assert not np.allclose(found, SCHEDULES[text](np.arange(1, 8)), rtol=1e-4) or text == "0.25"


def test_without_one_the_rate_is_the_same_to_the_bit():
    assert rates_of(None, 0.1, 4).tolist() == [0.1] * 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("learning_rate - step / 100", "is -0.01 at step 11; a learning rate is a number ≥ 0"),
        ("learning_rate / (step - 3)", "is -0.0333333 at step 0"),
        ("learning_rate / abs(step - 3)", "is inf at step 3"),
        ("rate / 2", "'rate' is unknown in 'rate / 2'; names are step, steps, learning_rate"),
        ("learning_rate *", "is not an expression"),
        ("9**9**9 * learning_rate", "is not a finite number"),
        ("step < 3", "is true or false"),
    ],
)
def test_what_is_no_schedule(text, says):
    with pytest.raises(ValueError, match=r"\w") as caught:
        canonical_schedule(text, 0.1, 20)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, (None, 0.1)),
        ("learning_rate", (None, 0.1)),
        ("2 * learning_rate / 2 + 0 * step", (None, 0.1)),
        ("learning_rate  /\n(1 + step)", ("learning_rate / (1 + step)", 0.1)),
        ("1 / (1 + step)", ("1 / (1 + step)", None)),
        ("1.001 * learning_rate", ("1.001 * learning_rate", 0.1)),
    ],
)
def test_what_makes_no_difference_is_null(text, found):
    assert canonical_schedule(text, 0.1, 5) == found


def test_a_schedule_of_very_many_steps_is_looked_at_in_no_time():
    assert canonical_schedule("learning_rate / (1 + step)", 0.1, 2**62) == ("learning_rate / (1 + step)", 0.1)
    with pytest.raises(ValueError, match="a learning rate is a number ≥ 0"):
        canonical_schedule("learning_rate - step", 0.1, 2**62)
