"""Short training runs, batched over cells."""

from backproof.training.run import Plan, Run, Samples, train

__all__ = ["Plan", "Run", "Samples", "train"]
