"""Keys that sign entries, as text."""

from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from gpt2forge.errors import UserError
from gpt2forge.remote.signing import PUBLIC, SECRET, is_public, load_signer, load_trusted, make_secret, read_signer

# RFC 8032, section 7.1, test 2
SEED = "ed25519-secret:TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs="
KEY = "ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="
SIGNED = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_signatures_are_those_of_the_standard() -> None:
    signer = load_signer(SEED)
    assert (signer.public, signer.sign(b"\x72").hex()) == (KEY, SIGNED)
    verify = load_trusted([KEY])[KEY]
    assert verify(bytes.fromhex(SIGNED), b"\x72")
    assert not verify(bytes.fromhex(SIGNED), b"\x73")
    assert not verify(b"", b"\x72")


def test_every_new_key_is_another() -> None:
    secrets = {make_secret() for _ in range(3)}
    assert len(secrets) == 3
    assert all(secret.startswith(SECRET) and load_signer(secret).public.startswith(PUBLIC) for secret in secrets)


@pytest.mark.parametrize(
    "text", ["", "ed25519:", KEY[:-1], f"{KEY}\n", SEED, KEY.replace("=", "A"), f"x{KEY}", "ed25519:" + "é" * 44]
)
def test_other_texts_are_no_public_keys(text: str) -> None:
    assert is_public(KEY)
    assert not is_public(text)


def test_the_variable_holds_a_key_or_names_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{SEED}\n")
    for text in (SEED, f" {SEED}\n", str(file)):
        signer = read_signer({"GPT2FORGE_KEY": text})
        assert signer
        assert signer.public == KEY
    assert read_signer({}) is None
    assert read_signer({"GPT2FORGE_KEY": ""}) is None


@pytest.mark.parametrize("text", [SEED[:-3], f'"{SEED}"', SEED.removeprefix(SECRET), "missing/file"])
def test_a_wrong_secret_is_one_line_that_does_not_show_it(text: str) -> None:
    with pytest.raises(UserError) as caught:
        read_signer({"GPT2FORGE_KEY": text})
    assert "`GPT2FORGE_KEY`" in str(caught.value)
    assert text not in str(caught.value)
