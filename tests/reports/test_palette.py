"""Colours of categories: any two that can be in one figure differ, whatever the colour vision of a reader."""

import itertools

import numpy as np
import pytest
from reports.test_differences import DICHROMACY, lab

from backproof.reports.figures.drawing.colours import CATEGORIES, colour_of, symbol_of
from backproof.verdicts.verdict import Verdict

LEAST_OF_VERDICTS, LEAST_OF_CATEGORIES, LEAST_IN_GREY = 13.0, 12.0, 9.0
"""Least distances of any two colours: in CIEDE2000, and of lightness L* for categories in grey."""

OLD_VERDICTS = ("#009E73", "#56B4E9", "#9AD0EC", "#7FCDBB", "#F0E442", "#E69F00", "#D55E00", "#CC79A7")


def rgb(colours):
    return np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])


def ciede2000(one, other):
    """The distance of two colours in CIELAB (Sharma, Wu and Dalal, 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25.0**7)))
    c1, c2 = np.hypot((1 + g) * a1, b1), np.hypot((1 + g) * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, (1 + g) * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    hue = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    of = [np.cos(np.radians(k * hue - shift)) for k, shift in ((1, 30), (2, 0), (3, -6), (4, 63))]
    t = 1 - 0.17 * of[0] + 0.24 * of[1] + 0.32 * of[2] - 0.20 * of[3]
    by_l = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    by_c = (c2 - c1) / (1 + 0.045 * chroma)
    by_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * t)
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    rotation *= np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    return float(np.sqrt(by_l**2 + by_c**2 + by_h**2 + rotation * by_c * by_h))


def least_distance(colours):
    """The least of any two, over normal vision and three kinds of dichromacy."""
    seen = [lab(rgb(colours), matrix) for matrix in DICHROMACY.values()]
    return min(ciede2000(a, b) for found in seen for a, b in itertools.combinations(found, 2))


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_distance_is_that_of_its_published_examples(one, other, distance):
    assert ciede2000(one, other) == pytest.approx(distance, abs=1e-4)


def test_any_two_verdicts_are_told_apart_by_colour():
    assert least_distance([v.colour for v in Verdict]) > LEAST_OF_VERDICTS
    assert least_distance(OLD_VERDICTS) < LEAST_OF_VERDICTS, "these are refused"


def test_any_two_causes_are_told_apart_by_colour_and_by_lightness():
    assert len(CATEGORIES) == 8
    assert least_distance(CATEGORIES) > LEAST_OF_CATEGORIES
    assert np.diff(np.sort(lab(rgb(CATEGORIES), np.eye(3))[:, 0])).min() > LEAST_IN_GREY


def test_in_grey_verdicts_are_told_apart_by_their_symbols_alone():
    """Thirteen levels of grey would be too near to each other; symbols are not."""
    grey = np.sort(lab(rgb([v.colour for v in Verdict]), np.eye(3))[:, 0])
    assert np.diff(grey).min() < 3, "or say that lightness tells them apart"
    assert len({v.symbol for v in Verdict}) == len(Verdict)


def test_a_ninth_cause_has_a_number_of_its_own():
    names = [f"cause {i}" for i in range(9)]
    assert colour_of(names[8], 8) == colour_of(names[0], 0)
    assert len({symbol_of(name, i) for i, name in enumerate(names)}) == 9
