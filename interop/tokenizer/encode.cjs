// Reads a text a line, as JSON; writes the ids that gpt-3-encoder gives it, as JSON, a line each.
const { createInterface } = require("node:readline");
const { encode } = require("gpt-3-encoder");

createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(JSON.stringify(encode(JSON.parse(line))) + "\n");
});
