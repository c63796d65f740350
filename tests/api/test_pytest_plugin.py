"""The fixture of pytest, in a suite of its own."""

import subprocess
import sys

import pytest

SUITE = """
import numpy as np
import pytest

W = np.array([0.3, -1.2, 2.0])

def test_right(backproof):
    backproof.check(lambda w: (w**2).sum(), W, df=lambda w: 2 * w)

def test_wrong(backproof):
    backproof.check(lambda w: (w**2).sum(), W, df=lambda w: 2.002 * w)

def test_backward(backproof):
    backproof.check_vjp(np.sin, lambda g, x: g * np.cos(x), W, digits=3)

def test_few_digits(backproof):
    backproof.check(lambda w: (1e6 + (w**2).sum()), W, df=lambda w: 2 * w)

def test_other(backproof):
    with pytest.raises(AttributeError, match="has check, check_hessian"):
        backproof.sweep

def test_without():
    pass
"""


@pytest.fixture
def suite(tmp_path):
    """Runs a suite of derivatives; returns what is printed."""
    (tmp_path / "test_mine.py").write_text(SUITE)

    def run(*options):
        plugin = ["-p", "no:backproof", "-p", "backproof.interfaces.pytest_plugin"]
        command = [sys.executable, "-m", "pytest", *plugin, "-p", "no:cacheprovider", *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout

    return run


def test_a_derivative_that_does_not_agree_fails_its_test_with_the_explanation(suite):
    printed = suite("-k", "not digits")
    assert "1 failed, 4 passed" in printed
    assert "the gradient is 1.001 times the right one" in printed
    assert "backproof: 3 derivatives checked, 1 do not agree; the others to" in printed


@pytest.mark.parametrize("options", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)])
def test_digits_and_one_report_of_the_session(suite, tmp_path, options):
    page = tmp_path / "new" / "derivatives.html"
    printed = suite("--backproof-digits=6", f"--backproof-report={page}", *options)
    assert "fewer than 6" in printed
    assert "2 failed, 4 passed" in printed
    text = page.read_text()
    assert text.index("test_wrong: incorrect gradient") < text.index("test_few_digits: agrees to")
    assert text.count("<details open>") == 1
    assert "test_mine.py::test_backward" in text and "http" not in text.replace("http-equiv", "")


def test_a_suite_without_checks_is_left_alone(suite, tmp_path):
    assert "backproof:" not in suite("-k", "without", f"--backproof-report={tmp_path / 'none.html'}")
    assert not (tmp_path / "none.html").exists()
