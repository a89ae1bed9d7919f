// The type of our dashboards, by Grafana's own schema: the kinds of panels that are used, each with its options, and
// queries for Prometheus. It refuses a key that the schema does not know, and a word that its enum does not have.

import type { AnnotationQuery, Dashboard, FieldConfig, Panel, RowPanel, VariableModel } from "@grafana/schema";
import type * as heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as states from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** As it stands in JSON: an enum is one of its values. */
type Json<T> = T extends string
    ? `${T}`
    : T extends number
      ? number extends T
          ? T
          : `${T}` extends `${infer N extends number}`
            ? N
            : T
      : T extends object
        ? { [K in keyof T]: Json<T[K]> }
        : T;

/** A query for Prometheus: https://grafana.com/docs/grafana/latest/datasources/prometheus/query-editor/ */
interface Query {
    refId: string;
    datasource: { type: "prometheus"; uid: "${datasource}" };
    expr: string;
    legendFormat: string;
    range: boolean;
    instant: boolean;
    format?: "heatmap" | "table";
}

interface Typed<Type extends string, Options, Custom> extends Json<Omit<Panel, "type" | "options" | "targets" | "fieldConfig" | "gridPos">> {
    type: Type;
    id: number;
    title: string;
    description: string;
    gridPos: { h: number; w: number; x: number; y: number };
    targets: Query[];
    options: Json<Partial<Options>>;
    fieldConfig: {
        defaults: Json<Omit<FieldConfig, "custom">> & { custom?: Json<Partial<Custom>> };
        overrides: { matcher: { id: "byName"; options: string }; properties: { id: string; value?: unknown }[] }[];
    };
}

type Shown =
    | Typed<"heatmap", heatmap.Options, heatmap.FieldConfig>
    | Typed<"stat", stat.Options, never>
    | Typed<"state-timeline", states.Options, states.FieldConfig>
    | Typed<"table", table.Options, table.FieldConfig>
    | Typed<"timeseries", timeseries.Options, timeseries.FieldConfig>
    | (Json<Omit<RowPanel, "panels">> & { panels: [] });

/** Fields of a variable that Grafana keeps beyond the schema. */
interface Variable extends Json<VariableModel> {
    definition?: string;
}

/** Fields of an annotation that the Prometheus data source wants beyond the schema. */
interface Annotation extends Json<Omit<AnnotationQuery, "target">> {
    expr: string;
    titleFormat: string;
    step: string;
}

export interface Shipped extends Omit<Json<Dashboard>, "panels" | "templating" | "annotations"> {
    uid: string;
    title: string;
    panels: Shown[];
    templating: { list: Variable[] };
    annotations: { list: Annotation[] };
}
