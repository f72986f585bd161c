// Drives Chromium: reads a request on standard input, opens the page that it names, and writes what was seen there.

import { readFileSync } from "node:fs";
import { withPage } from "./browser.mjs";

/** What the page's own module says of a package: ids of the prompts, and the tokens after each. */
async function ask({ folder, prompts, count }) {
  const { generate, open } = await import("./gpt2.js");
  const model = await open(folder);
  const ids = prompts.map((prompt) => model.tokenizer.encode(prompt).ids);
  const alone = [];
  for (const prompt of prompts) {
    const tokens = [];
    for await (const piece of generate(model, prompt, count)) tokens.push(piece.token);
    alone.push(tokens);
  }
  await model.session.release();
  return { ids, alone, batch: null };
}

/** What somebody sees who types the prompt and presses the button. */
async function type(page, prompt, count, screenshot) {
  await page.fill("#prompt", prompt);
  await page.fill("#tokens", String(count));
  await page.waitForFunction(`!document.querySelector("#state").value.startsWith("opening")`);
  if (await page.isDisabled("#go")) throw new Error(await page.textContent("#state"));
  await page.click("#go");
  await page.waitForFunction(`document.querySelector("#state").value.startsWith("${count} tokens")`);
  await page.waitForSelector("#go:enabled");
  if (screenshot) await page.screenshot({ path: screenshot });
  return page.textContent("#text");
}

const { program, url, folders, prompts, new: count, screenshot } = JSON.parse(readFileSync(0, "utf8"));
await withPage(program, async (page) => {
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto(url);
  const typed = await type(page, prompts[0], count, screenshot);
  const answers = [];
  for (const folder of folders) answers.push(await page.evaluate(ask, { folder, prompts, count }));
  return { typed, answers, errors };
});
