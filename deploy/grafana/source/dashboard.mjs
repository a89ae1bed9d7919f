// A dashboard of rows of panels: places them from left to right, and numbers them.

import { DATASOURCE } from "./panels.mjs";

const COLUMNS = 24;

/** Panels of one row, each beside the one before as long as there is room. */
const place = (panels, top) => {
    let [x, y, height] = [0, top, 0];
    const placed = panels.map((panel) => {
        const { w, h } = panel.gridPos;
        if (x + w > COLUMNS) [x, y, height] = [0, y + height, 0];
        const gridPos = { h, w, x, y };
        x += w;
        height = Math.max(height, h);
        return { ...panel, gridPos };
    });
    return { placed, bottom: y + height };
};

const panelsOf = (rows) => {
    const panels = [];
    let y = 0;
    for (const [title, content] of rows) {
        if (title) panels.push({ type: "row", title, collapsed: false, gridPos: { h: 1, w: COLUMNS, x: 0, y: y++ }, panels: [] });
        const { placed, bottom } = place(content, y);
        panels.push(...placed);
        y = bottom;
    }
    return panels.map((panel, index) => ({ id: index + 1, ...panel }));
};

const query = ({ name, label, query, description, ...rest }) => ({
    type: "query",
    name,
    label,
    description,
    datasource: DATASOURCE,
    query: { query, refId: `variable-${name}` },
    definition: query,
    refresh: 2,
    sort: 1,
    ...rest,
});

/** The data source, the cluster, and its nodes: all of them, or one. */
const variables = (allNodes) => [
    { type: "datasource", name: "datasource", label: "Data source", query: "prometheus", refresh: 1 },
    query({
        name: "job",
        label: "Cluster",
        description: "The job of Prometheus: one cluster",
        query: "label_values(fanfare_build_info, job)",
    }),
    query({
        name: "node",
        label: "Node",
        description: "The instance of Prometheus: one node",
        query: 'label_values(fanfare_build_info{job="$job"}, instance)',
        ...(allNodes ? { multi: true, includeAll: true, allValue: ".+", current: { text: "All", value: "$__all" } } : {}),
    }),
];

/** `annotations` are [name, colour, PromQL, text]: vertical lines in all panels. */
export const dashboard = ({ uid, title, description, rows, links, annotations, allNodes }) => ({
    uid,
    title,
    description,
    tags: ["fanfare"],
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    schemaVersion: 41,
    time: { from: "now-1h", to: "now" },
    timezone: "browser",
    links,
    annotations: {
        list: annotations.map(([name, iconColor, expr, titleFormat]) => ({
            name,
            iconColor,
            datasource: DATASOURCE,
            enable: true,
            expr,
            titleFormat,
            step: "15s",
        })),
    },
    templating: { list: variables(allNodes) },
    panels: panelsOf(rows),
});
