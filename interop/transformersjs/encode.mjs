// transformers.js on Node: reads a folder, then a text a line, as JSON; writes the ids of each text, as JSON, a line each.

import { createInterface } from "node:readline";
import { basename, dirname } from "node:path";
import { AutoTokenizer, env } from "@huggingface/transformers";

env.allowRemoteModels = false;

let tokenizer;
for await (const line of createInterface({ input: process.stdin })) {
  const text = JSON.parse(line);
  if (tokenizer) {
    process.stdout.write(JSON.stringify(tokenizer.encode(text)) + "\n");
  } else {
    env.localModelPath = dirname(text);
    tokenizer = await AutoTokenizer.from_pretrained(basename(text));
  }
}
