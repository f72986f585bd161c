"""GPT-2 as files: checkpoints in, one safetensors file with config and tokenizer out."""
