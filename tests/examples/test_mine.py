"""A test suite of one's own: the message of a failure is the explanation."""

import mine

import backproof


def test_my_gradient():
    backproof.check(mine.backprop, *mine.start(seed=0), "sigmoid").assert_agrees()
