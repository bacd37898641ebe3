#!/usr/bin/env node
// Starts the program of this platform with the same arguments, streams and signals, and ends with its exit code.
"use strict";
const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const program = process.platform === "win32" ? "sf-scan.exe" : "sf-scan";
let path;
try {
  path = require.resolve(`sf-scan-${process.platform}-${process.arch}/bin/${program}`);
} catch {
  console.error(
    `sf-scan: there is no package of sf-scan for ${process.platform}-${process.arch} here. ` +
      "Install without --omit=optional, or build it with `cargo install sf-scan --locked`.",
  );
  process.exit(2);
}
const child = spawn(path, process.argv.slice(2), { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`sf-scan: ${error.message}`);
  process.exit(2);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
