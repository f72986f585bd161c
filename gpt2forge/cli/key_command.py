"""`gpt2forge key`: makes the keys that sign what is pushed to remote levels."""

import os
from pathlib import Path

import click

from gpt2forge.cli import console
from gpt2forge.cli.options import json_option
from gpt2forge.errors import UserError
from gpt2forge.remote.signing import VARIABLE, load_signer, make_secret


@click.group("key")
def key() -> None:
    """Make keys that sign what is pushed to remote levels."""


@key.command("new")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@json_option
def make_key(file: Path, as_json: bool) -> None:
    """Write a new secret key to FILE, and print its public key, for `store.trusted` of the settings."""
    secret = make_secret()
    write_secret(file, secret)
    public = load_signer(secret).public
    if as_json:
        console.write_json({"file": str(file), "public": public})
        return
    console.write(f"{public}\n")
    console.inform(f"{file}: keep this secret; `{VARIABLE}={file}` signs with it what builds push")


def write_secret(file: Path, secret: str) -> None:
    """Write a secret to a new file that only its owner may read. Raises UserError if the file is there."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UserError(f"{file}: exists; name a new file, so that no key is lost") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(f"{secret}\n")
