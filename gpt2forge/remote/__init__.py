"""Levels behind the local store: a shared folder, an HTTP cache, an object store. What one machine built, others pull.

1. The local store is the truth. A level is asked for a record only if the store has none, and what it sends is checked
   as if anybody could have written it: see entry.py and signing.py.
2. Levels are asked in order. What a later one has is written to those before it.
3. A pulled record makes its artifact known, as if it had been evicted here; its files come only if a step reads them.
4. A level that fails costs two seconds at most and one warning, then it is left alone: see reach.py.
5. Files are pushed before the record that names them, and only when a recipe's `verify` has passed.
"""
