"""Records are shared between the tasks of a sweep and put into caches: none can be changed."""

import dataclasses
import pkgutil
from importlib import import_module

import pytest

import backproof.verdicts

RECORDS = {
    f"{module.name}.{name}": value
    for module in pkgutil.iter_modules(backproof.verdicts.__path__)
    for name, value in vars(import_module(f"backproof.verdicts.{module.name}")).items()
    if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__.endswith(module.name)
}


def test_there_are_records():
    assert len(RECORDS) > 30


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_cannot_be_changed(name):
    assert RECORDS[name].__dataclass_params__.frozen
