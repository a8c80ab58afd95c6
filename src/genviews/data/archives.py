"""Zip archives of image folders."""

import hashlib
import tempfile
import zipfile
import zlib
from pathlib import Path

from ..errors import DataError


def unpack(path: Path, root: Path) -> Path:
    """Unpacks an archive, once, into a folder below `root` that its content names.

    Args:
        path: The zip file.
        root: The cache.

    Returns:
        The folder; where the archive holds nothing but one folder other than `train`, that one.

    Raises:
        DataError: If the file is no zip archive or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.filename.startswith("__MACOSX")]
            content = repr([(member.filename, member.CRC, member.file_size) for member in members])
            folder = root / "archives" / f"{path.stem}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
            if not folder.exists():
                folder.parent.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
                    whole = Path(partial) / folder.name
                    whole.mkdir()
                    archive.extractall(whole, members)
                    if not folder.exists():  # else another process was first
                        whole.rename(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path} cannot be read as a zip archive ({error}); download or write it again") from None
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() and entries[0].name != "train" else folder
