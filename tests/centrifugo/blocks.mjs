// Runs the programs of docs/sdks.md as they stand there, but for address and channel: all at once in one channel, where
// each hears itself and the others.
//
//   blocks.mjs FOLDER NODE1 NODE2 REDIS KEY SECRET LANGUAGE...    says `ok LANGUAGE`

import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PAGE = readFileSync(join(HERE, "../../docs/sdks.md"), "utf8");
const PATIENCE = 30_000; // milliseconds
const [folder, node, , , , , ...names] = process.argv.slice(2);

function go(place) {
  for (const file of ["go.mod", "go.sum"]) cpSync(join(HERE, "go", file), join(place, file));
  const env = { ...process.env, GOTOOLCHAIN: "local" };
  execFileSync("go", ["build", "-o", "chat", "chat.go"], { cwd: place, env, stdio: "inherit" });
  return [join(place, "chat")];
}

function js(place) {
  symlinkSync(join(HERE, "node_modules"), join(place, "node_modules"));
  return ["node", "chat.mjs"];
}

const LANGUAGES = {
  js: { file: "chat.mjs", hello: "hello from JavaScript", command: js },
  python: { file: "chat.py", hello: "hello from Python", command: () => [process.env.PYTHON, "-B", "chat.py"] },
  go: { file: "chat.go", hello: "hello from Go", command: go },
  java: { file: "Chat.java", hello: "hello from Java", command: () => ["java", "-cp", `${process.env.JARS}/*`, "Chat.java"] },
};

function block(file) {
  const found = PAGE.match(new RegExp(`^\`\`\`\\w+\\n((?://|#) ${file}\\n.*?)^\`\`\`$`, "ms"));
  if (!found) throw new Error(`docs/sdks.md has no block ${file}`);
  return found[1].replaceAll("localhost:8080", new URL(node).host).replaceAll('"chat"', '"docs"');
}

function start(name) {
  const { file, command } = LANGUAGES[name];
  const place = resolve(folder, name);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, file), block(file));
  const [program, ...args] = command(place);
  const child = spawn(program, args, { cwd: place, stdio: ["ignore", "pipe", "pipe"] });
  const started = { name, child, said: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (started.said += data));
  return started;
}

const hears = ({ said }, name) => said.includes(LANGUAGES[name].hello);

rmSync(folder, { recursive: true, force: true });
const programs = [];
for (const name of names) {
  const program = start(name);
  programs.push(program);
  const everybody = () => programs.every((each) => hears(each, name)) && hears(program, name);
  const deadline = Date.now() + PATIENCE;
  while (!everybody() && Date.now() < deadline) await pause(50);
  if (everybody()) console.log(`ok ${name}`);
  else for (const { name: other, said } of programs) console.log(`${other} of docs/sdks.md said:\n${said}`);
}
for (const { child } of programs) child.kill();
