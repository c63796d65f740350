"""A torch.autograd.Function whose backward forgets the 2."""

import torch


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * x


def loss(w, x, y, own=True):
    z = x @ w[0][:, :-1].T + w[0][:, -1]
    return ((Square.apply(z) if own else z * z) - y).sum()
