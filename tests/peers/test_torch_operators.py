"""The gradients of PyTorch's operators are not called wrong, on a seed that was not used for development."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's own test tables need it")
pytestmark = pytest.mark.filterwarnings("ignore")


def test_few_gradients_of_operators_are_called_wrong():
    from torch_operators import tally_of

    found = tally_of(3001, share=0.1, most=1, seconds=10)
    assert found.count > 5
    assert found.accused == []


def test_a_wrong_gradient_of_an_operator_is_called_wrong():
    from torch_operators import Sample, Tally, samples

    class Wrong(Sample):
        def df(self, arrays):
            return [1.001 * g for g in super().df(arrays)]

    tally = Tally()
    for sample in samples(3001, 1.0, 2, "logsigmoid"):
        tally.add(Wrong(**vars(sample)))
    assert len(tally.accused) == tally.count > 0
    assert all("incorrect gradient" in line for line in tally.accused)


def test_whole_operators_are_not_called_wrong_in_any_layout():
    from torch_whole_operators import tally_of

    found = tally_of(3001, share=0.1, seconds=20)
    assert found.count > 5
    assert found.accused == []
