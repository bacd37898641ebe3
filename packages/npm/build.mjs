// Makes the npm packages: `sf-scan`, which starts the program, and one with the program for each platform. npm installs the one
// whose `os` and `cpu` fit, so nothing is downloaded and no script runs.
//
//   node packages/npm/build.mjs <binaries> <out>
//
// <binaries> has a folder for each target, with the program in it; targets that are not there are left out.
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const targets = {
  "linux-x64": { target: "x86_64-unknown-linux-musl", os: "linux", cpu: "x64" },
  "linux-arm64": { target: "aarch64-unknown-linux-musl", os: "linux", cpu: "arm64" },
  "darwin-x64": { target: "x86_64-apple-darwin", os: "darwin", cpu: "x64" },
  "darwin-arm64": { target: "aarch64-apple-darwin", os: "darwin", cpu: "arm64" },
  "win32-x64": { target: "x86_64-pc-windows-msvc", os: "win32", cpu: "x64" },
};

const [binaries, out] = process.argv.slice(2);
if (!binaries || !out) {
  console.error("usage: node build.mjs <binaries> <out>");
  process.exit(2);
}
const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const version = readFileSync(join(root, "Cargo.toml"), "utf8").match(/^version = "(.*)"$/m)[1];
const common = {
  version,
  description: "Finds leaked Sixtyfour API keys in working trees and in git",
  license: "MIT OR Apache-2.0",
  repository: { type: "git", url: "git+https://github.com/OWNER/sf-scan.git" },
};

function write(name, manifest, files) {
  const folder = join(out, name);
  mkdirSync(join(folder, "bin"), { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, ...common, ...manifest }, null, 2) + "\n");
  for (const [from, to] of files) {
    copyFileSync(from, join(folder, to));
    if (to.startsWith("bin/")) chmodSync(join(folder, to), 0o755);
  }
  for (const file of ["LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(join(root, file), join(folder, file));
}

const made = {};
for (const [name, { target, os, cpu }] of Object.entries(targets)) {
  const program = os === "win32" ? "sf-scan.exe" : "sf-scan";
  const binary = join(binaries, target, program);
  if (!existsSync(binary)) {
    console.error(`left out: ${name}, as there is no ${binary}`);
    continue;
  }
  write(`sf-scan-${name}`, { os: [os], cpu: [cpu] }, [[binary, `bin/${program}`]]);
  made[`sf-scan-${name}`] = version;
}
if (Object.keys(made).length === 0) {
  console.error(`there is no program in ${binaries}`);
  process.exit(2);
}
write("sf-scan", { bin: { "sf-scan": "bin/sf-scan.js" }, engines: { node: ">=18" }, optionalDependencies: made }, [
  [join(here, "sf-scan.js"), "bin/sf-scan.js"],
  [join(root, "README.md"), "README.md"],
]);
