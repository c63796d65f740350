"""Composed configurations as flat mappings."""

import pytest

from backproof.errors import ConfigurationError
from backproof.sweeps.composition.flat import flatten


def test_settings_that_a_file_leaves_out_have_their_defaults():
    found = flatten({"clip": {"_target_": "mine.clip", "eps": 1e-3}}, {"clip": "mine"})
    assert found == {
        "clip": "mine",
        "clip._target_": "mine.clip",
        "clip.eps": 1e-3,
        "clip.backward": "consistent",
    }


def test_what_is_switched_off_has_no_settings():
    assert flatten({"training": None}, {"training": "none"}) == {"training": "none"}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"colour": 3}, "colour: unknown"),
        ({"trainig": {"steps": 3}}, "trainig: is no part of a case; did you mean 'training'?"),
        ({"loss": {"a": {"b": 1}}}, "loss.a: must be a single value"),
        (
            {"loss": "binary_cross_entropy"},
            "loss: must be one of the files in conf/loss; not 'binary_cross_entropy'",
        ),
    ],
)
def test_a_configuration_that_is_no_case(config, says):
    with pytest.raises(ConfigurationError) as caught:
        flatten(config, {})
    assert says in str(caught.value)
