// Panels of the dashboards, each made from its own particulars. A query is a pair: PromQL, and the name of its series.
// A panel is as wide and high as it says, in Grafana's grid of 24 columns; dashboard.mjs places it.

export const DATASOURCE = { type: "prometheus", uid: "${datasource}" };

const GREEN = "green";
const YELLOW = "yellow";
const RED = "red";

const target = ([expr, legendFormat], index) => ({
    refId: String.fromCharCode(65 + index),
    datasource: DATASOURCE,
    expr,
    legendFormat,
    range: true,
    instant: false,
});

const instant = (query, index) => ({ ...target(query, index), range: false, instant: true });

/** From green on to yellow and red at these values; falling, where red is below. */
const steps = ([yellow, red]) => {
    if (red === undefined) return [{ color: GREEN, value: null }];
    if (yellow <= red) {
        return [
            { color: GREEN, value: null },
            { color: YELLOW, value: yellow },
            { color: RED, value: red },
        ];
    }
    return [
        { color: RED, value: null },
        { color: YELLOW, value: red },
        { color: GREEN, value: yellow },
    ];
};

/** A quantile without values is NaN. */
const NOTHING = { type: "special", options: { match: "nan", result: { text: "–", index: 0 } } };

const common = ({ title, description, width, height = 8 }) => ({
    title,
    description,
    datasource: DATASOURCE,
    gridPos: { h: height, w: width, x: 0, y: 0 },
});

/** Lines over time. `marks` are where yellow and red begin; `log` is for what spans orders of magnitude. */
export const lines = ({ queries, unit, width = 8, stacked = false, log = false, min = 0, max, marks = [], ...rest }) => ({
    type: "timeseries",
    ...common({ width, ...rest }),
    targets: queries.map(target),
    fieldConfig: {
        defaults: {
            unit,
            ...(min === null || log ? {} : { min }),
            ...(max === undefined ? {} : { max }),
            color: { mode: "palette-classic" },
            thresholds: { mode: "absolute", steps: steps(marks) },
            custom: {
                drawStyle: "line",
                lineInterpolation: "linear",
                lineWidth: 1,
                fillOpacity: stacked ? 25 : 8,
                gradientMode: "none",
                showPoints: "never",
                spanNulls: false,
                scaleDistribution: log ? { type: "log", log: 10 } : { type: "linear" },
                stacking: { mode: stacked ? "normal" : "none", group: "A" },
                thresholdsStyle: { mode: marks.length ? "dashed" : "off" },
            },
        },
        overrides: [],
    },
    options: {
        legend: { showLegend: true, displayMode: "list", placement: "bottom", calcs: [] },
        tooltip: { mode: "multi", sort: "desc" },
    },
});

/** How often each value came, over time: the buckets of a histogram of seconds. */
export const heatmap = ({ expr, width = 12, ...rest }) => ({
    type: "heatmap",
    ...common({ width, ...rest }),
    targets: [{ ...target([expr, "{{le}}"], 0), format: "heatmap" }],
    fieldConfig: {
        defaults: { custom: { hideFrom: { legend: false, tooltip: false, viz: false } } },
        overrides: [],
    },
    options: {
        calculate: false,
        cellGap: 1,
        color: { mode: "scheme", scheme: "Spectral", steps: 64, reverse: true, fill: "dark-orange", scale: "exponential", exponent: 0.5 },
        exemplars: { color: "rgba(255,0,255,0.7)" },
        filterValues: { le: 1e-9 },
        legend: { show: true },
        rowsFrame: { layout: "auto" },
        showValue: "never",
        tooltip: { mode: "single", showColorScale: true, yHistogram: true },
        yAxis: { axisPlacement: "left", reverse: false, unit: "s" },
        cellValues: { unit: "short" },
    },
});

/** The newest value as a number, with its course behind it. */
export const number = ({ queries, unit, width = 4, height = 4, marks = [], mappings = [], text = "auto", graph = "area", decimals, ...rest }) => ({
    type: "stat",
    ...common({ width, height, ...rest }),
    targets: queries.map(graph === "none" ? instant : target),
    fieldConfig: {
        defaults: {
            unit,
            ...(decimals === undefined ? {} : { decimals }),
            color: { mode: "thresholds" },
            mappings: [...mappings, NOTHING],
            thresholds: { mode: "absolute", steps: steps(marks) },
        },
        overrides: [],
    },
    options: {
        colorMode: "value",
        graphMode: graph,
        justifyMode: "auto",
        orientation: "auto",
        percentChangeColorMode: "standard",
        reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
        showPercentChange: false,
        textMode: text,
        wideLayout: true,
    },
});

/** The state of each series over time: `words` are [value, text, colour]. */
export const states = ({ queries, words, width = 12, ...rest }) => ({
    type: "state-timeline",
    ...common({ width, ...rest }),
    targets: queries.map(target),
    fieldConfig: {
        defaults: {
            color: { mode: "thresholds" },
            custom: { fillOpacity: 80, lineWidth: 0 },
            mappings: mappings(words),
            thresholds: { mode: "absolute", steps: steps([]) },
        },
        overrides: [],
    },
    options: {
        alignValue: "left",
        legend: { showLegend: false, displayMode: "list", placement: "bottom", calcs: [] },
        mergeValues: true,
        rowHeight: 0.8,
        showValue: "auto",
        tooltip: { mode: "single", sort: "none" },
    },
});

export const mappings = (words) => [
    {
        type: "value",
        options: Object.fromEntries(words.map(([value, text, color], index) => [value, { text, color, index }])),
    },
];

/** A row for each node; `columns` are [PromQL, title, unit, words]; of the first only the label `version` is shown. `link` leads from a
 * node to its dashboard. */
export const table = ({ columns, link, width = 24, ...rest }) => ({
    type: "table",
    ...common({ width, ...rest }),
    targets: columns.map(([expr], index) => ({ ...instant([expr, ""], index), format: "table" })),
    transformations: [
        { id: "joinByField", options: { byField: "instance", mode: "outer" } },
        { id: "filterFieldsByName", options: { include: { pattern: "^(instance|version|Value #[B-Z])$" } } },
    ],
    fieldConfig: {
        defaults: {
            custom: { align: "auto", cellOptions: { type: "auto" }, inspect: false },
            thresholds: { mode: "absolute", steps: steps([]) },
        },
        overrides: [
            override("instance", { displayName: "node", links: [{ title: "${__value.text}", url: link }] }),
            ...columns.map(([, title, unit, words], index) =>
                override(`Value #${String.fromCharCode(65 + index)}`, {
                    displayName: title,
                    unit,
                    ...(words ? { mappings: mappings(words), "custom.cellOptions": { type: "color-text" } } : {}),
                }),
            ),
        ],
    },
    options: { cellHeight: "sm", frameIndex: 0, showHeader: true },
});

/** A row for each series of one query, told by these labels. */
export const list = ({ expr, labels, width = 24, height = 6, ...rest }) => ({
    type: "table",
    ...common({ width, height, ...rest }),
    targets: [{ ...instant([expr, ""], 0), format: "table" }],
    transformations: [
        { id: "filterFieldsByName", options: { include: { names: labels } } },
        { id: "organize", options: { indexByName: Object.fromEntries(labels.map((label, index) => [label, index])) } },
    ],
    fieldConfig: {
        defaults: {
            custom: { align: "auto", cellOptions: { type: "auto" }, inspect: false },
            thresholds: { mode: "absolute", steps: steps([]) },
        },
        overrides: [],
    },
    options: { cellHeight: "sm", frameIndex: 0, showHeader: true },
});

const override = (name, properties) => ({
    matcher: { id: "byName", options: name },
    properties: Object.entries(properties).map(([id, value]) => ({ id, value })),
});
