"""Results by what determines them: made once, whoever asks first, shared by tables, processes and machines."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..checkpoints import write_text


class Cache:
    """Folders below `root`, each named by a hash of what makes its content.

    Args:
        root: On a file system with locks, when several machines share it.
    """

    def __init__(self, root: Path):
        self.root = root

    def path(self, kind: str, spec: Any) -> Path:
        """Where the `kind` of thing that `spec` (dataclasses, JSON values, paths) determines is kept."""
        content = json.dumps(spec, default=_plain, sort_keys=True)
        return self.root / kind / hashlib.sha256(content.encode()).hexdigest()[:16]

    @contextmanager
    def folder(self, kind: str, spec: Any) -> Iterator[Path]:
        """That folder, to this process alone inside the block; beside it, as NAME.json, the spec. A killed process frees it."""
        path = self.path(kind, spec)
        path.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            write_text(Path(f"{path}.json"), json.dumps(spec, default=_plain, sort_keys=True, indent=1) + "\n")
            yield path


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
