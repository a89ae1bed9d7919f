// How the blocks of each language are run, with the tools that tests/clients/run.sh found.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { block } from "./blocks.mjs";
import { installClient } from "./client.mjs";

const HERE = fileURLToPath(new URL("..", import.meta.url));

function goProgram(folder, name) {
  cpSync(join(HERE, "go/go.mod"), join(folder, "go.mod"));
  cpSync(join(HERE, "go/go.sum"), join(folder, "go.sum"));
  const env = { ...process.env, GOTOOLCHAIN: "local", GOFLAGS: "-mod=mod" };
  const unformatted = execFileSync("gofmt", ["-l", name], { cwd: folder }).toString();
  if (unformatted) throw new Error(`gofmt would change ${name} of docs/clients.md`);
  const program = join(folder, name.replace(".go", ""));
  execFileSync("go", ["build", "-o", program, name], { cwd: folder, env, stdio: "inherit" });
  return [program];
}

function nodeProgram(folder, name) {
  if (!existsSync(join(folder, "node_modules"))) {
    installClient(folder);
    symlinkSync(join(HERE, "node_modules/ws"), join(folder, "node_modules/ws"));
  }
  return ["node", name];
}

function phpProgram(folder, name) {
  const vendor = join(folder, "vendor");
  if (process.env.PHP_VENDOR && !existsSync(vendor)) symlinkSync(process.env.PHP_VENDOR, vendor);
  return ["php", name];
}

/** `refusal`: what it says of a 403 in place of the upgrade; without, it cannot see it, as a browser cannot. */
export const LANGUAGES = {
  node: { listen: "listen.mjs", publish: "publish.mjs", program: nodeProgram },
  python: {
    listen: "listen.py", publish: "publish.py", refusal: /not permitted/,
    program: (_, name) => [process.env.PYTHON ?? "python3", "-B", name],
  },
  php: {
    listen: process.env.PHP_VENDOR && "listen.php", publish: "publish.php", refusal: process.env.PHP_VENDOR && /403/,
    program: phpProgram,
  },
  go: { listen: "listen.go", publish: "publish.go", refusal: /not permitted/, program: goProgram },
  java: { listen: "Listen.java", publish: "Publish.java", refusal: /403/, program: (_, name) => ["java", name] },
  ruby: { listen: "listen.rb", publish: "publish.rb", refusal: /403/, program: (_, name) => ["ruby", name] },
};

/** Writes a block into its language's folder, and returns the command that runs it there. */
export function prepare(folder, language, kind, place) {
  const name = LANGUAGES[language][kind];
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), block(name, place));
  return LANGUAGES[language].program(folder, name);
}
