// node deploy/grafana/source/write.mjs [FOLDER]: writes the dashboards as the JSON that Grafana reads, to
// deploy/grafana/dashboards where no folder is named. Change the source, run this, and commit both.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { node } from "./node.mjs";
import { overview } from "./overview.mjs";

const folder = process.argv[2] ?? fileURLToPath(new URL("../dashboards", import.meta.url));
for (const [name, dashboard] of Object.entries({ overview, node })) {
    writeFileSync(`${folder}/${name}.json`, `${JSON.stringify(dashboard, null, 2)}\n`);
}
