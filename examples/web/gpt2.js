// A GPT-2 package in the browser: opens it from a URL and writes text token by token, keeping keys and values.

import * as ort from "onnxruntime-web";
import { Tokenizer } from "@huggingface/tokenizers";

/** A tensor of whole numbers, as ONNX wants them: int64, shape [1, length]. */
const row = (numbers) => new ort.Tensor("int64", BigInt64Array.from(numbers, BigInt), [1, numbers.length]);

/** Open the package at `url`, a folder with model.onnx, model.onnx_data, tokenizer.json and config.json. */
export async function open(url) {
  const at = (name) => `${url.replace(/\/$/, "")}/${name}`;
  const [config, tokenizer, settings] = await Promise.all(
    ["config.json", "tokenizer.json", "tokenizer_config.json"].map((name) => read(at(name))),
  );
  const session = await ort.InferenceSession.create(at("model.onnx"), {
    externalData: [{ path: "model.onnx_data", data: at("model.onnx_data") }],
    executionProviders: ["wasm"],
    logSeverityLevel: 3, // errors only
  });
  return { config, session, tokenizer: new Tokenizer(tokenizer, settings) };
}

async function read(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return response.json();
}

/** Yields {token, text}: always the likeliest token, and the text that it completes; ends at the end of the text. */
export async function* generate({ config, session, tokenizer }, prompt, maxTokens) {
  const ends = [config.eos_token_id ?? []].flat(); // one id, a list of ids, or null
  let next = tokenizer.encode(prompt).ids;
  if (!next.length) next = [config.bos_token_id ?? ends[0] ?? []].flat(); // an empty prompt begins as a text does
  if (!next.length) throw new Error("an empty prompt needs a token to start from, and this model names none");
  if (next.length > config.n_positions) throw new Error(`${next.length} tokens are more than ${config.n_positions}`);
  let cache = emptyCache(config);
  const tokens = [];
  let written = "";
  for (let total = next.length; tokens.length < maxTokens && total <= config.n_positions; total++) {
    const positions = next.map((_, place) => total - next.length + place);
    const mask = new Array(total).fill(1);
    const outputs = await session.run({
      input_ids: row(next), // [1, S]: the prompt, then one token at a time
      attention_mask: row(mask), // [1, T]: all tokens so far
      position_ids: row(positions), // [1, S]
      ...cache,
    });
    const token = likeliest(outputs.logits, config.vocab_size);
    if (ends.includes(token)) return;
    cache = keepCache(outputs);
    next = [token];
    tokens.push(token);
    const text = tokenizer.decode(tokens);
    const whole = text.endsWith("\ufffd") ? written : text; // half a character waits for its other half
    yield { token, text: whole.slice(written.length) };
    written = whole;
  }
}

/** Keys and values of no tokens, [1, H, 0, D] for each layer. */
function emptyCache({ n_layer, n_head, n_embd }) {
  const empty = () => new ort.Tensor("float32", new Float32Array(0), [1, n_head, 0, n_embd / n_head]);
  const layers = [...Array(n_layer).keys()];
  return Object.fromEntries(
    layers.flatMap((layer) => ["key", "value"].map((part) => [`past_key_values.${layer}.${part}`, empty()])),
  );
}

/** What came out as `present` goes in as `past_key_values`. */
function keepCache(outputs) {
  const presents = Object.entries(outputs).filter(([name]) => name.startsWith("present"));
  return Object.fromEntries(presents.map(([name, value]) => [name.replace("present", "past_key_values"), value]));
}

/** The index of the largest logit of the last position; logits are [1, S, V]. */
function likeliest({ data }, size) {
  const last = data.subarray(data.length - size);
  let best = 0;
  for (let index = 1; index < size; index++) if (last[index] > last[best]) best = index;
  return best;
}
