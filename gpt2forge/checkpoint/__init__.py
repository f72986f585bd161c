"""GPT-2 as files: reads a checkpoint of any known format, writes one safetensors file with config and tokenizer."""
