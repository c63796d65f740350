"""Kernels in low precision: no right one is called wrong, planted faults are found and located."""

import numpy as np
import pytest
from held_out.low_precision import DTYPES, EDITS, SOURCES, VARIANTS, Arithmetic, checked, compiled, edited

SEED = 20_261_128
"""Of inputs on which nothing was tuned."""

FEW = 8
"""Every so many of the faults is tried, in another of the variants each."""

KERNELS = [(kernel, dtype) for kernel in SOURCES for dtype in DTYPES]


@pytest.mark.parametrize(
    "variant", ["low accumulation", pytest.param("blocks of 5 backwards", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("kernel", "dtype"), KERNELS)
def test_right_kernels_agree_in_whatever_order_they_accumulate(kernel, dtype, variant):
    found = checked(kernel, dtype, variant, "", SEED)
    assert found is not None and found.agrees, str(found)


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "dtype"), KERNELS)
def test_planted_faults_are_found_and_located(kernel, dtype):
    first = list(DTYPES).index(dtype)
    for k, edit in enumerate(EDITS[kernel][first::FEW]):
        found = checked(kernel, dtype, list(VARIANTS)[k % len(VARIANTS)], edit, SEED)
        assert found is not None and found.found and found.located, str(found)


@pytest.mark.parametrize("kernel", SOURCES)
def test_every_kernel_has_at_least_twelve_faults_that_are_edits_of_it(kernel):
    sources = {edited(SOURCES[kernel], edit) for edit in EDITS[kernel]}
    assert len(sources - {SOURCES[kernel]}) == len(EDITS[kernel]) >= 12


def test_variants_are_the_same_function_without_rounding():
    x = np.random.default_rng(0).normal(size=(5, 13))
    for variant in VARIANTS.values():
        assert np.allclose(variant.dot(x, x.T), x @ x.T, rtol=1e-14)
        assert np.allclose(variant.total(x, 1)[:, 0], x.sum(1), rtol=1e-14)


def test_a_text_that_is_not_in_the_source_is_no_edit():
    with pytest.raises(AssertionError):
        edited(SOURCES["swiglu"], "no such line → nothing")
    assert compiled(SOURCES["swiglu"], Arithmetic())[0].__name__ == "forward"
