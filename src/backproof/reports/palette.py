"""The colours of verdicts, in figures and on the page; known without a drawing library."""

COLOURS = {
    "agrees": "#009E73",
    "valid subgradient": "#56B4E9",
    "round-off": "#9AD0EC",
    "truncation": "#7FCDBB",
    "incorrect gradient": "#D55E00",
    "clip active": "#E69F00",
    "kinks combined": "#8C7A00",
    "kink crossed": "#F0E442",
    "outside domain": "#CC79A7",
    "undetermined": "#0072B2",
    "not deterministic": "#8C564B",
    "not finite": "#4D4D4D",
    "not checked": "#DDDDDD",
}
"""Okabe and Ito's palette and shades between, told apart with every kind of colour vision; the symbols say
the same in print."""
