// Runs the blocks of docs/clients.md as they stand there, but for address and channel: all languages at once, against a
// gateway that is played (far.mjs), then on a cluster of which one node is drained.
//
//   run.mjs FOLDER BALANCER-URL PID-OF-A-NODE LANGUAGE...

import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { count, farEnd, openDoor, REASON } from "./far.mjs";
import { LANGUAGES, prepare } from "./languages.mjs";

const [place, balancer, node, ...languages] = process.argv.slice(2);
const folder = resolve(place);
const TIMEOUT = 120_000; // milliseconds until something awaited counts as missing
const KEY = "a key";
const running = new Set();
const channelOf = (language) => `docs-${language}`;

function check(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

/** The commands that run each language's blocks. */
function prepareAll(host) {
  return languages.map((language) => {
    const kinds = ["listen", "publish"].filter((kind) => LANGUAGES[language][kind]);
    const cwd = join(folder, language);
    const made = kinds.map((kind) => [kind, prepare(cwd, language, kind, { host, channel: channelOf(language) })]);
    return { language, cwd, refusal: LANGUAGES[language].refusal, ...Object.fromEntries(made) };
  });
}

/** Starts a block; `said` is what it wrote so far. */
function start({ language, cwd, ...commands }, kind) {
  const [command, ...args] = commands[kind];
  const env = { ...process.env, API_KEY: KEY };
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const program = { name: LANGUAGES[language][kind], said: "", child };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (program.said += data));
  const ended = new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  program.ended = ended.finally(() => running.delete(child));
  return program;
}

/** Until `condition` holds of what the program said. */
async function until(program, condition, what) {
  const deadline = Date.now() + TIMEOUT;
  while (!condition(program.said)) {
    const lives = program.child.exitCode === null && Date.now() < deadline;
    check(lives, `${program.name} ${what}; it said:\n${program.said}`);
    await pause(50);
  }
}

/** Runs a block to its end: what it said, and whether it ended with 0. */
async function runBlock(commands, kind) {
  const program = start(commands, kind);
  const code = await Promise.race([program.ended, pause(TIMEOUT, "late", { ref: false })]);
  check(code !== "late", `${program.name} does not end; it said:\n${program.said}`);
  return { ...program, succeeded: code === 0 };
}

async function comesBack(commands, { came }) {
  const { name, said, succeeded } = await runBlock(commands, "listen");
  check(!succeeded, `${name} ends with 0 where it was refused`);
  for (const wanted of ["🎺 1", "🎺 5", REASON]) check(said.includes(wanted), `${name} does not say “${wanted}”; it said:\n${said}`);
  const connections = count(came.connections, `/ws/${channelOf(commands.language)}`);
  check(connections === 5, `${name} connected ${connections} times, not 5`);
}

async function isForbidden(commands) {
  const { name, said, succeeded } = await runBlock(commands, "listen");
  check(!succeeded, `${name} ends with 0 where it was forbidden`);
  check(commands.refusal.test(said), `${name} does not say why it was forbidden; it said:\n${said}`);
}

const published = ({ language }, { mood, came }) =>
  came.published.filter((message) => message.channel === channelOf(language) && message.mood === mood);

async function publishesAgain(commands, far) {
  const { name, said, succeeded } = await runBlock(commands, "publish");
  check(succeeded, `${name} fails after a 503; it said:\n${said}`);
  const messages = published(commands, far);
  check(messages.length === 2, `${name} published ${messages.length} times, not 2`);
  const right = messages.every(({ key, data }) => key === KEY && data.startsWith("hello from"));
  check(right, `${name} published ${JSON.stringify(messages)}`);
}

async function leavesTheUnknown(commands, far) {
  const { name, said, succeeded } = await runBlock(commands, "publish");
  check(!succeeded && /504.*outcome_unknown/s.test(said), `${name} does not tell of a 504; it said:\n${said}`);
  check(published(commands, far).length === 1, `${name} published again what may have been delivered`);
}

/** Publishes until the program has it: it may be between two connections. */
async function hears(program, { language }, data) {
  const body = JSON.stringify({ channel: channelOf(language), data });
  await until(program, (said) => {
    fetch(new URL("/api/publish", balancer), { method: "POST", body }).catch(() => {});
    return said.includes(data);
  }, `does not hear “${data}”`);
}

async function onTheCluster(all) {
  const listeners = all.filter(({ listen }) => listen).map((commands) => [start(commands, "listen"), commands]);
  await Promise.all(listeners.map(([program]) => until(program, (said) => said.includes("connected"), "does not connect")));
  await Promise.all(all.map(async (commands) => {
    const { name, said, succeeded } = await runBlock(commands, "publish");
    check(succeeded, `${name} fails; it said:\n${said}`);
  }));
  for (const [program] of listeners) await until(program, (said) => said.includes("hello from"), "does not hear its publisher");
  process.kill(Number(node), "SIGTERM");
  const [[first]] = listeners;
  const cameBack = () => listeners.some(([{ said }]) => said.split("connected").length > 2);
  await until(first, cameBack, "and all others do not come back from a node that is drained");
  await Promise.all(listeners.map(([program, commands]) => hears(program, commands, "after the drain")));
}

async function main() {
  rmSync(folder, { recursive: true, force: true });
  const far = await farEnd();
  const door = await openDoor(far.port);
  const all = prepareAll(door.host);
  const each = (kind, test) => all.filter((commands) => commands[kind]).map((commands) => test(commands, far));
  await Promise.all([...each("publish", publishesAgain), ...each("listen", comesBack)]);
  far.mood = "no";
  await Promise.all([...each("publish", leavesTheUnknown), ...each("refusal", isForbidden)]);
  door.to = new URL(balancer).port;
  await onTheCluster(all);
  console.log(`docs/clients.md: ok in ${languages.join(", ")}`);
}

function end(code) {
  for (const child of running) child.kill();
  process.exit(code);
}

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => end(1));
main().then(() => end(0), (error) => {
  console.error(`FAILED: ${error.message}`);
  end(1);
});
