// Starts Debian's Chromium, quiet and on its own.

import { chromium } from "playwright-core";

const QUIET = [
  ..."--no-sandbox --disable-gpu --disable-quic --no-first-run".split(" "),
  ..."--disable-background-networking --disable-component-update --disable-sync".split(" "),
];
const PATIENCE = 300_000; // ms; a busy machine takes a minute for a 774M

/** Run `work(page)` in a new page of a new browser; what it gives is written to standard output as JSON. */
export async function withPage(program, work) {
  const browser = await chromium.launch({ executablePath: program, args: QUIET });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    console.log(JSON.stringify(await work(page)));
  } finally {
    await browser.close();
  }
}
