"""Data: digits (real), generated sets, and the user's own files; one file each."""

from backproof.choices import Choices, discover
from backproof.data.dataset import DataError, Dataset
from backproof.data.source import Source, source

__all__ = ["SOURCES", "DataError", "Dataset", "Source", "source"]

SOURCES: Choices[Source] = discover(__name__)
