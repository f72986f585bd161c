// transformers.js on Node: reads a request on standard input, writes what each package goes on with.
// Without a number of new tokens, the package says how tokens are chosen and how many.

import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { AutoModelForCausalLM, AutoTokenizer, env } from "@huggingface/transformers";

env.allowRemoteModels = false;

async function answer(folder, prompts, max_new_tokens) {
  env.localModelPath = dirname(folder);
  const name = basename(folder);
  const tokenizer = await AutoTokenizer.from_pretrained(name);
  tokenizer.padding_side = "left";
  // The files lie in the folder itself, `dtype: "fp32"` stands for the file name model.onnx, and its data lie beside it.
  const model = await AutoModelForCausalLM.from_pretrained(name, { subfolder: "", dtype: "fp32", use_external_data_format: true });

  async function generate(texts) {
    const inputs = tokenizer(texts, { padding: true });
    const options = max_new_tokens === null ? {} : { max_new_tokens, do_sample: false };
    const outputs = await model.generate({ ...inputs, ...options });
    return outputs.tolist().map((row) => row.slice(inputs.input_ids.dims[1]).map(Number));
  }

  const alone = [];
  for (const prompt of prompts) alone.push((await generate([prompt]))[0]);
  const ids = prompts.map((prompt) => tokenizer.encode(prompt));
  const batch = prompts.length > 1 ? await generate(prompts) : alone;
  await model.dispose();
  return { ids, alone, batch };
}

const { folders, prompts, new: count } = JSON.parse(readFileSync(0, "utf8"));
const answers = [];
for (const folder of folders) answers.push(await answer(folder, prompts, count));
console.log(JSON.stringify(answers));
