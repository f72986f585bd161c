"""GPT-2 as files: checkpoints of any format in, one safetensors file with config and tokenizer out."""
