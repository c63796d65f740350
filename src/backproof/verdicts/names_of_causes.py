"""What the names of causes mean.

A name is one of `SINGLE`, or a structure, or an operation and a structure: `weight gradient: transposed`.
What is specific to a case (a factor, a sample, a tensor) is the detail of a cause and no part of its name.
"""

from __future__ import annotations

import re

OPERATIONS = {
    "output delta": "∂L/∂z at the output",
    "derivative": "f'(z) of a hidden activation",
    "arriving gradient": "what arrives at a hidden layer's values from above, Wᵀ δ",
    "carried weights": "the weights W that carry a delta down",
    "hidden delta": "∂L/∂z of a hidden layer, the product of what arrives and f'(z)",
    "delta or gradient": "a layer's delta or its gradient, where no deltas are known to tell",
    "weight gradient": "the gradient of a layer's weights",
    "bias gradient": "the gradient of a layer's biases",
    "penalty": "the gradient of the penalty on the weights",
}
"""Operations of the backward pass of a network; a cause names the one that departs."""

STRUCTURES = {
    # of any array
    "sign": "the negative of the right one",
    "scale": "a constant multiple of the right one",
    "zero": "zero",
    "transposed": "transposed",
    "transpose": "transposed, or made to fit by a transpose",
    "reversed": "in the opposite order along an axis",
    "shifted": "shifted by one along an axis",
    "cut off": "cut off at a bound",
    "raised to a bound": "raised to a bound",
    "positive part": "only where it is positive",
    "absolute value": "without its sign",
    "squared": "squared",
    "reciprocal": "one over it",
    "a power": "to another power",
    "in another order": "its rows or columns in another order",
    "rounded": "rounded to a few decimals",
    "mean taken off": "less its mean",
    "left out": "without its first or last sample, unit or input",
    "one alone": "its first or last sample, unit or input alone",
    "one for all": "one sample's, unit's or input's, or their mean, in place of all",
    "samples left out": "some samples missing",
    "factors of": "each sample, unit, row or column multiplied by a number of its own",
    "another array": "another array of the pass in its place",
    "another operand": "made of another operand",
    "another operator": "made by another operator of the same operands",
    "another entry": "single entries that hold the value of another one",
    "entries changed": "some entries are other numbers",
    "another matrix": "a matrix of another kind, solved for",
    "lower precision": "rounded to a lower precision on the way",
    "a term added": "the right one and another term",
    "not identified": "wrong, in a way that none of these explains; the detail states where",
    # of single operations
    "derivative missing": "∂L/∂y without the output's own derivative f'(z)",
    "derivative squared": "f'(z) multiplied in twice",
    "derivative of the value": "f' at the value y in place of z",
    "y - t for another pair": "the shortcut y − t, for a pair of output and loss whose derivative it is not",
    "of another loss": "the derivative of another loss",
    "softmax unit by unit": "y (1 − y) in place of softmax's Jacobian",
    "clip ignored": "the clip's derivative taken as 1",
    "another activation's derivative": "that of another activation",
    "another activation's": "that of another activation",
    "another function of y and t": "another formula of the output and the target",
    "another function of z": "another formula of the pre-activation",
    "another function of W": "another formula of the weights",
    "at a kink": "wrong where a pre-activation lies exactly on a kink, and nowhere else",
    "missing": "left out",
    "of the value": "f' at the value f(z) in place of z",
    "of another argument": "f' at a changed pre-activation",
    "of -z": "the derivative of the other side of zero",
    "another layer's": "that of another layer",
    "updated": "the weights of after the update",
    "with the bias": "the bias's column among the weights",
    "another delta": "made of a changed delta",
    "another input": "made of changed inputs",
    "another layer's delta": "made of the delta of another layer",
    "another layer's inputs": "made of the inputs of another layer",
    "pre-activations as inputs": "z in place of f(z) as the layer's inputs",
    "of one sample": "that of one sample in place of their sum",
    "summed over units": "summed over units in place of samples",
    "on the biases": "applied to the biases too",
    "another weight": "with another factor in front",
    "a constant": "a constant is added",
    # of the gradient of a function from outside
    "regulariser": "a multiple of the parameter or of its sign, as a penalty has it, is left out or too much",
    "another term": "a multiple of another simple term is left out or too much",
    "two terms": "two other simple terms are left out or too much",
    "another residual": "Xᵀ r of a generalised linear model, with another residual r",
    "another design": "Xᵀ r of a generalised linear model, with a changed X",
    "symmetry": "a symmetric matrix's off-diagonal entries counted once in place of twice, or the reverse",
    "another parametrisation": "the derivative for the logarithm, the square or the like of the parameter",
    "exchanged": "two tensors' gradients in each other's place",
    "whole numbers": "all entries are whole numbers, as after a cast",
    "truth values": "all entries are 0 and 1, as those of a comparison",
    "no effect": "the loss does not change with the tensor, and its gradient is not zero",
    "not zero": "the gradient is not zero where the loss is flat",
    "rows left out": "some rows are zero",
    "columns left out": "some columns are zero",
    "entries left out": "some entries are zero",
}  # fmt: skip
"""What was made in place of what is right."""

SINGLE = {
    "kink touched": "the point lies on a kink, where there is more than one derivative",
    "kink crossed": "the difference straddles a kink that no usable step avoids",
    "clip active": "the clip flattens the loss there",
    "no subgradient": "what is chosen at several kinks is together no subgradient of the loss",
    "round-off": "rounding drowns the numbers",
    "truncation": "the step is too long for the curvature",
    "small errors": "errors that are small beside the tensor, in single entries",
    "not located": "wrong as a whole, and no operation or tensor departs by more than its rounding",
    "not resolved": "kinks that the steps do not separate",
    "not smooth at any step": "the loss jumps there, or a kink, pole or steep place is nearer than any step",
    "outside domain": "outputs outside the loss's domain",
    "saturated outputs": "outputs that are exactly 0 or 1",
    "loss not finite": "the loss is infinite or not a number",
    "parameters not finite": "a parameter is infinite or not a number",
    "analytic gradient not finite": "an entry of the gradient under test is infinite or not a number",
    "numerical gradient not finite": "the loss is not finite within a step of the point",
    "not deterministic": "two evaluations at one point differ",
    "layout of the cotangent": "a pass of PyTorch gives other gradients for a cotangent in another layout",
    "layout of the inputs": "a function of PyTorch gives other outputs for inputs in another layout",
    "undefined cotangent": "a pass of PyTorch is wrong where an output has no cotangent",
    "batched gradient": "a pass of PyTorch is wrong for several cotangents at a time",
    "batched forward gradient": "forward mode in PyTorch is wrong for several tangents at a time",
    "type of a gradient": "a gradient in PyTorch has another type than its input",
}  # fmt: skip
"""Causes that are no operation's."""

_LEFT_OUT = re.compile(r"(\w+) left out")


def meaning_of(name: str) -> str:
    """What the name of a cause means, in a few words.

    Raises:
        KeyError: if no cause has that name.
    """
    if name in SINGLE:
        return SINGLE[name]
    operation, _, structure = name.rpartition(": ")
    if structure.startswith("factors of "):
        structure = "factors of"
    elif structure not in STRUCTURES and _LEFT_OUT.fullmatch(structure):
        structure = "entries left out"
    what = STRUCTURES[structure]
    return f"{OPERATIONS[operation]}: {what}" if operation else what
