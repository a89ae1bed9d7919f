// The package of clients/js as npm packs it.

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CLIENT = fileURLToPath(new URL("../../../clients/js", import.meta.url));

/** Puts the package of clients/js, as npm packs it, into `folder`/node_modules. */
export function installClient(folder) {
  const into = join(folder, "node_modules/@fanfare-rs/client");
  mkdirSync(into, { recursive: true });
  const [{ filename }] = JSON.parse(execFileSync("npm", ["pack", CLIENT, "--json", "--pack-destination", folder]));
  execFileSync("tar", ["xzf", join(folder, filename), "-C", into, "--strip-components=1"]);
}
