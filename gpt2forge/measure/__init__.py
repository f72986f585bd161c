"""What a package is worth: how far it is from PyTorch's float32, and how fast and large it is on this machine."""
