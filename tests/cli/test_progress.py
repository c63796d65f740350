"""Progress where there is no terminal: a line now and then, and always one at the end."""

from backproof.interfaces import progress as module
from backproof.interfaces.progress import progress


def test_a_line_at_the_end(capsys):
    with progress(5) as advance:
        advance(done=2, failed=0)
        assert capsys.readouterr().err == ""
        advance(done=3, failed=1)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cells 5/5, 1 failed, ")


def test_a_line_every_ten_seconds(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with progress(100) as advance:
        for second in range(1, 26):
            now[0] = second
            advance(done=2, failed=0)
    assert capsys.readouterr().err.splitlines() == [
        "cells 22/100, 0 failed, 2.0/s, 39 s left",
        "cells 44/100, 0 failed, 2.0/s, 28 s left",
    ]


def test_nothing_to_do_says_nothing(capsys):
    with progress(0):
        pass
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress(4) as advance:
        advance(done=3, failed=1)
        advance(done=1, failed=0)
    shown = capsys.readouterr().err
    assert "4/4" in shown
    assert "1 failed" in shown
