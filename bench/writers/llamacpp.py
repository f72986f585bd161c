"""llama.cpp's library, which computes one token of all texts in a call, as llama.cpp's server does for its slots."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as library

from bench.peers.llamacpp.peer import Peer

Array = np.ndarray[Any, Any]
MARGIN = 8  # tokens: more than a text has bytes


class Writer:
    def __init__(self, path: Path, threads: int) -> None:
        self.peer = Peer(path, threads)
        self.vocabulary = library.llama_model_get_vocab(self.peer.model)

    def write(self, prompts: list[str], new: int) -> list[int]:
        """Write the likeliest texts; return how many tokens each has."""
        texts = [self.encode(prompt) for prompt in prompts]
        self.peer.begin(len(texts), max(map(len, texts)) + new)
        places = [len(text) for text in texts]
        tokens = self.decode(texts, [0] * len(texts))
        added = [[token] for token in tokens]
        while len(added[0]) < new:
            tokens = self.decode([[token] for token in tokens], places)
            places = [place + 1 for place in places]
            for text, token in zip(added, tokens, strict=True):
                text.append(token)
        for text in added:
            self.spell(text)
        return [len(text) for text in added]

    def decode(self, texts: list[list[int]], starts: list[int]) -> list[int]:
        """Read tokens of each text behind its first ones; return the likeliest token after each."""
        batch, context, place = self.peer.batch, self.peer.context, 0
        last = []
        for row, (text, start) in enumerate(zip(texts, starts, strict=True)):
            for step, token in enumerate(text):
                batch.token[place], batch.pos[place] = token, start + step
                batch.n_seq_id[place], batch.logits[place] = 1, int(step == len(text) - 1)
                batch.seq_id[place][0] = row
                place += 1
            last.append(place - 1)
        batch.n_tokens = place
        code = library.llama_decode(context, batch)
        if code:
            raise RuntimeError(f"llama_decode gave {code}")
        rows = (library.llama_get_logits_ith(context, place) for place in last)
        return [int(np.ctypeslib.as_array(row, (self.peer.words,)).argmax()) for row in rows]

    def encode(self, text: str) -> list[int]:
        data = text.encode()
        tokens = (library.llama_token * (len(data) + MARGIN))()
        count = library.llama_tokenize(self.vocabulary, data, len(data), tokens, len(tokens), False, False)
        return list(tokens[:count])

    def spell(self, tokens: list[int]) -> bytes:
        piece = ctypes.create_string_buffer(256)
        found = b""
        for token in tokens:
            count = library.llama_token_to_piece(self.vocabulary, token, piece, len(piece), 0, True)
            found += piece.raw[: max(count, 0)]
        return found
