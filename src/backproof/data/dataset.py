"""What every source of data delivers, and what several of them need."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from backproof.network.arrays import Array


class DataError(ValueError):
    """Data that cannot be used; the message names the file and the location."""


TEST_SHARE, VALIDATION_SHARE = 0.2, 0.2


@dataclass(frozen=True)
class Dataset:
    """Samples in float64: inputs (N, features) and targets (N, m), shuffled, in three parts.

    A network learns from the first part, settings such as the learning rate are chosen by the validation
    part, and the test part is looked at for what is reported alone.
    """

    inputs: Array
    targets: Array
    validation_inputs: Array
    validation_targets: Array
    test_inputs: Array
    test_targets: Array

    @property
    def every_target(self) -> tuple[Array, Array, Array]:
        """The targets of each part."""
        return self.targets, self.validation_targets, self.test_targets

    def standardised(self) -> Dataset:
        """The same with the training part's mean subtracted and divided by its deviation, by column."""
        mean, deviation = self.inputs.mean(axis=0), self.inputs.std(axis=0)
        deviation[deviation == 0] = 1
        return replace(
            self,
            inputs=(self.inputs - mean) / deviation,
            validation_inputs=(self.validation_inputs - mean) / deviation,
            test_inputs=(self.test_inputs - mean) / deviation,
        )


def one_hot(labels: Array, classes: int) -> Array:
    """Labels 0 … classes − 1 to rows with a single 1."""
    return np.eye(classes)[labels]


def split(
    inputs: Array,
    targets: Array,
    test_share: float,
    validation_share: float,
    generator: np.random.Generator,
) -> Dataset:
    """Shuffle, then cut off the test part and, of what is left, the validation part at the other end.

    So the first rows of the training part are the same whatever the validation's share. At least one sample
    stays in each part.

    Raises:
        ValueError: if there are fewer than three samples, or a share is not between 0 and 1.
    """
    check_shares(test_share=test_share, validation_share=validation_share)
    if len(inputs) < 3:
        raise ValueError(f"needs at least 3 samples, one for each part; has {len(inputs)}")
    order = generator.permutation(len(inputs))
    tested = int(np.clip(round(test_share * len(inputs)), 1, len(inputs) - 2))
    rest = len(inputs) - tested
    validated = int(np.clip(round(validation_share * rest), 1, rest - 1))
    test, train, validation = np.split(order, [tested, len(inputs) - validated])
    return Dataset(*(a[part] for part in (train, validation, test) for a in (inputs, targets)))


def check_shares(**shares: float) -> None:
    """Refuse a part that is empty or everything."""
    for name, share in shares.items():
        if not 0 < share < 1:
            raise ValueError(f"{name} must be between 0 and 1; not {share}")


def check_counts(**counts: int) -> None:
    """Refuse fewer than four samples, or less than one of anything else."""
    for name, count in counts.items():
        least = 4 if name == "samples" else 1
        if count < least:
            raise ValueError(f"{name} must be at least {least}; not {count}")
