"""The short version of `python tests/stress`."""

import sys

import pytest
from command_lines import commands
from experiment_files import experiment_files
from faulty import faulty
from killed import Kills
from small_disk import full_disk

pytestmark = pytest.mark.slow


def test_nothing_is_lost_or_computed_again_whatever_is_killed(tmp_path):
    found = Kills(tmp_path, seed=3).run(4, seeds=8, longest=1.2)
    assert found["kills"] >= 4
    assert (found["lost"], found["computed again"]) == (0, 0)
    assert (found["left behind"], found["neither report nor line"], found["tracebacks"]) == (0, 0, [])


def test_a_full_disk_ends_in_one_line_and_the_sweep_goes_on_with_more(tmp_path):
    try:
        found = full_disk(tmp_path)
    except OSError as error:
        pytest.skip(str(error))
    assert (found["status"], len(found["told"]), found["traceback"]) == (1, 1, False)
    assert "full" in found["told"][0]
    assert not [name for name in found["left"] if name.endswith((".part", ".csv", ".parquet", ".html"))]
    assert found["then"] == 0
    assert not found["went on"].startswith("results/disk: 400 cells; 0 already there")


def test_a_command_line_runs_or_is_refused_in_one_line(tmp_path, monkeypatch):
    from backproof.reports import results

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(results, "write_results", lambda *_: ())  # reports are tested elsewhere
    found = commands(tmp_path, 40, seed=1)
    assert found["not as they should"] == 0, found
    assert found["refused"] > 8 and found["status 0"] > 4


def test_an_experiment_file_runs_or_is_refused_in_one_line(tmp_path, monkeypatch):
    from backproof.reports import results

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(results, "write_results", lambda *_: ())
    found = experiment_files(tmp_path, 25, seed=2)
    assert found.pop("not as they should") == 0, found
    assert found["plan: refused"] > 5 and found["plan: status 0"] > 2


def test_ten_faulty_cells_cost_none_of_the_others(tmp_path):
    found = faulty(tmp_path, fine=40)
    assert (found["status"], found["good"], found["traceback"], found["report"]) == (1, 40, False, True)
    assert (found["bad"], found["without a reason"]) == ({"killed": 3, "failed": 5, "timeout": 2}, 0)
