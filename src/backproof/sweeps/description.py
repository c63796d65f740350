"""What a sweep's results are results of: configuration and provenance, kept beside them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from backproof.files import write
from backproof.sweeps.provenance import provenance
from backproof.sweeps.store import Store


@dataclass(frozen=True)
class Description:
    """A sweep as it was asked for.

    Attributes:
        command: the command line.
        name: the name that was given, if one was.
        experiment: the content of the experiment's file, if there is one.
        defaults, overrides, engine: what was composed.
    """

    command: str
    name: str | None
    experiment: Mapping[str, object] | None
    defaults: Mapping[str, object]
    overrides: tuple[str, ...]
    engine: Mapping[str, object]

    def keep(self, store: Store, folder: Path) -> None:
        """Write config.yaml and provenance.json into the folder, and the same into the store."""
        about = {**provenance(self.command), "started": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        content = {"name": self.name, **(self.experiment or {})}
        config = {
            "defaults": dict(self.defaults),
            "overrides": list(self.overrides),
            "engine": dict(self.engine),
            "experiment": content if self.experiment is not None else None,
        }
        store.add_run(about)
        store.set_meta("provenance", json.dumps(about))
        store.set_meta("experiment", json.dumps(content, default=str))  # YAML has dates
        write(folder / "provenance.json", (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode())
        write(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode())
