"""llama.cpp's C interface, from the shared library in the wheel xllamacpp (llama.h, ggml.h)."""

import ctypes
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int, c_int8, c_int32, c_int64, c_size_t, c_uint32, c_void_p

import xllamacpp

REST = 252  # words: more than any version has. What is passed by value may be longer than what is read of it.


class ModelParams(ctypes.Structure):
    """`llama_model_params`, as `llama_model_default_params` fills it; nothing here reads or changes it."""

    _fields_ = (("words", c_uint32 * (REST + 4)),)


class ContextParams(ctypes.Structure):
    """The beginning of `llama_context_params`, and room for the rest."""

    _fields_ = (
        ("n_ctx", c_uint32),
        ("n_batch", c_uint32),
        ("n_ubatch", c_uint32),
        ("n_seq_max", c_uint32),
        ("rest", c_uint32 * REST),
    )


class Batch(ctypes.Structure):
    """`llama_batch`: tokens with their positions, texts, and whether logits are wanted."""

    _fields_ = (
        ("n_tokens", c_int32),
        ("token", POINTER(c_int32)),
        ("embd", c_void_p),
        ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)),
        ("seq_id", POINTER(POINTER(c_int32))),
        ("logits", POINTER(c_int8)),
    )


FUNCTIONS = {
    "ggml_quantize_chunk": (c_size_t, [c_int, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p]),
    "llama_backend_init": (None, []),
    "llama_model_default_params": (ModelParams, []),
    "llama_context_default_params": (ContextParams, []),
    "llama_model_load_from_file": (c_void_p, [c_char_p, ModelParams]),
    "llama_model_get_vocab": (c_void_p, [c_void_p]),
    "llama_vocab_n_tokens": (c_int32, [c_void_p]),
    "llama_init_from_model": (c_void_p, [c_void_p, ContextParams]),
    "llama_free": (None, [c_void_p]),
    "llama_set_n_threads": (None, [c_void_p, c_int32, c_int32]),
    "llama_get_memory": (c_void_p, [c_void_p]),
    "llama_memory_clear": (None, [c_void_p, c_bool]),
    "llama_batch_init": (Batch, [c_int32, c_int32, c_int32]),
    "llama_batch_free": (None, [Batch]),
    "llama_decode": (c_int32, [c_void_p, Batch]),
    "llama_get_logits": (POINTER(c_float), [c_void_p]),
}


def open_library() -> ctypes.CDLL:
    """Return the library with types for the functions used; raises OSError if the layout above is not the library's."""
    library = ctypes.CDLL(xllamacpp.xllamacpp.__file__)
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    usual = library.llama_context_default_params()
    if (usual.n_ctx, usual.n_ubatch, usual.n_seq_max) != (512, 512, 1):
        raise OSError("llama_context_params begins in another way than here")
    return library
