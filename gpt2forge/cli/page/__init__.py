"""The page of a comparison: one HTML file that needs no network, no script and no other file."""
