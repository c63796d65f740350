"""Data: digits (real), generated sets, and the user's own files."""

from backproof.data.dataset import DataError, Dataset

__all__ = ["DataError", "Dataset"]
