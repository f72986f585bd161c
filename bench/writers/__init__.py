"""Systems that write whole texts: text goes in, text comes out. One file each; `serve` runs one in its environment."""
