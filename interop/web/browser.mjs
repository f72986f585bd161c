// Starts Debian's Chromium, quiet and on its own.

import { chromium } from "playwright-core";

const QUIET = [
  ..."--no-sandbox --disable-gpu --disable-quic --no-first-run".split(" "),
  ..."--disable-background-networking --disable-component-update --disable-sync".split(" "),
];

/** Run `work(page)` in a new page of a new browser; what it gives is written to standard output as JSON. */
export async function withPage(program, work) {
  const browser = await chromium.launch({ executablePath: program, args: QUIET });
  try {
    console.log(JSON.stringify(await work(await browser.newPage())));
  } finally {
    await browser.close();
  }
}
