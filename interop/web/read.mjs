// Opens a page and writes the text of one element, once it is as long as awaited.

import { readFileSync } from "node:fs";
import { withPage } from "./browser.mjs";

const { program, url, selector, length } = JSON.parse(readFileSync(0, "utf8"));
await withPage(program, async (page) => {
  await page.goto(url);
  const isThere = ([selector, length]) => document.querySelector(selector).textContent.length >= length;
  await page.waitForFunction(isThere, [selector, length]);
  return page.textContent(selector);
});
