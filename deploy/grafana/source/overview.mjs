// "Fanfare: overview": a cluster, and its nodes beside one another.

import { dashboard } from "./dashboard.mjs";
import { heatmap, lines, list, number, states, table } from "./panels.mjs";
import { parts } from "./queries.mjs";

export const BROKER_STATES = [
    [1, "up", "green"],
    [2, "away", "red"],
    [3, "deaf", "orange"],
    [4, "split", "purple"],
];

export const DRAINING = [
    [0, "serving", "green"],
    [1, "draining", "blue"],
];

const NODES = 'job="$job", instance=~"$node"';
const of = (metric, labels = "") => `${metric}{${NODES}${labels && `, ${labels}`}}`;
const rate = (metric, labels) => `rate(${of(metric, labels)}[$__rate_interval])`;
const perNode = (what) => `sum by (instance) (${what})`;
/** Alerts of this cluster; FanfareClusterDown may lack the cluster's name. */
const FIRING = 'ALERTS{alertstate="firing", alertname=~"Fanfare.*", job=~"$job|"}';
const quantile = (q, metric) => `histogram_quantile(${q}, sum by (le) (${rate(`${metric}_bucket`)}))`;

/** 1 to 4, as in BROKER_STATES. With several servers of Redis: the highest of theirs. */
const brokerState = `max by (instance) (${of("fanfare_broker_state", 'state="up"')} or 2 * ${of("fanfare_broker_state", 'state="away"')} or 3 * ${of("fanfare_broker_state", 'state="deaf"')} or 4 * ${of("fanfare_broker_state", 'state="split"')})`;

const now = [
    number({
        title: "Nodes",
        description: "Nodes that answer Prometheus. Red: one that it knows does not.",
        queries: [[`sum(${of("up")})`, "answer"], [`count(${of("up")})`, "known"]],
        unit: "none",
        text: "value_and_name",
        graph: "none",
    }),
    number({
        title: "Connections",
        description: "Open connections of clients, on all nodes.",
        queries: [[`sum(${of("fanfare_connections")})`, "connections"]],
        unit: "short",
        width: 3,
    }),
    number({
        title: "Deliveries",
        description: "Messages handed to subscribers in a second, one for each of them.",
        queries: [[`sum(${rate("fanfare_deliveries_total")})`, "deliveries"]],
        unit: "cps",
        width: 3,
    }),
    number({
        title: "Relay latency, p99",
        description: "From a message's publish, on any node, until it is written to the sockets: 99 in 100 messages take no longer.",
        queries: [[quantile(0.99, "fanfare_relay_latency_seconds"), "p99"]],
        unit: "s",
        marks: [0.1, 0.5],
    }),
    number({
        title: "Nodes without their broker",
        description: "Nodes whose Redis takes nothing (away), does not deliver to them (deaf), or is one of two (split).",
        queries: [[`sum(${of("fanfare_broker_state", 'state!="up"')})`, "nodes"]],
        unit: "none",
        marks: [1, 1],
    }),
    number({
        title: "Heals failed",
        description: "Channels with history that could not be healed within the last hour: clients missed messages.",
        queries: [[`sum(increase(${of("fanfare_history_heals_total", 'result="failed"')}[1h]))`, "channels"]],
        unit: "none",
        decimals: 0,
        marks: [1, 1],
        width: 3,
    }),
    number({
        title: "Alerts",
        description: "Alerts of deploy/prometheus/alerts.yml that fire. docs/operations.md explains each, and what to do.",
        queries: [[`count(${FIRING}) or vector(0)`, "alerts"]],
        unit: "none",
        marks: [1, 1],
        width: 3,
    }),
];

const connections = [
    lines({
        title: "Connections per node",
        description: "Open connections. Stacked: the upper edge is all of them.",
        queries: [[perNode(of("fanfare_connections")), "{{instance}}"]],
        unit: "short",
        stacked: true,
    }),
    lines({
        title: "Opened and closed",
        description: "Connections that were let in, and that ended, in a second. Where both are high and the connections stay, clients come back again and again.",
        queries: [
            [`sum(${rate("fanfare_connections_opened_total")})`, "opened"],
            [`sum(${rate("fanfare_connections_closed_total")})`, "closed"],
        ],
        unit: "cps",
    }),
    lines({
        title: "Closed, by code",
        description: "Close codes, and who or what ended the connection: client, restart (a drain), slow, lost (no close frame), no_pong (a heartbeat was missed).",
        queries: [[parts("code, reason", rate("fanfare_connections_closed_total")), "{{code}} {{reason}}"]],
        unit: "cps",
        stacked: true,
    }),
    lines({
        title: "Compared with the average node",
        description: "1 is as many connections as the nodes have on average. FanfareImbalance fires past 1.4.",
        queries: [[of("job_instance:fanfare_connections:ratio_avg"), "{{instance}}"]],
        unit: "none",
        marks: [1.4, 1.4],
    }),
    lines({
        title: "Handshakes refused, by reason",
        description: "Upgrades that were answered with something else than 101, in a second.",
        queries: [[parts("reason", rate("fanfare_handshakes_refused_total")), "{{reason}}"]],
        unit: "cps",
        stacked: true,
    }),
    lines({
        title: "Room for connections",
        description: "The used part of the connections, and of the descriptors, that there may be. FanfareConnectionsShort and FanfareDescriptorsShort fire past 90 %.",
        queries: [
            [`${perNode(of("fanfare_connections"))} / ${perNode(of("fanfare_connections_limit"))}`, "{{instance}} connections"],
            [of("job_instance:process_open_fds:ratio"), "{{instance}} descriptors"],
        ],
        unit: "percentunit",
        max: 1,
        marks: [0.9, 0.9],
    }),
];

const messages = [
    lines({
        title: "Deliveries",
        description: "Messages handed to subscribers in a second, one for each of them.",
        queries: [[perNode(rate("fanfare_deliveries_total")), "{{instance}}"]],
        unit: "cps",
        stacked: true,
    }),
    lines({
        title: "Publishes, by result",
        description: "Taken by Redis; refused: they reached nobody; unknown: the connection to Redis ended before its answer.",
        queries: [[`sum by (result) (${rate("fanfare_broker_publish_duration_seconds_count")})`, "{{result}}"]],
        unit: "cps",
    }),
    lines({
        title: "Bytes to and from clients",
        description: "Frames with their headers, without TLS.",
        queries: [
            [`sum(${rate("fanfare_wire_sent_bytes_total")})`, "sent"],
            [`sum(${rate("fanfare_wire_received_bytes_total")})`, "received"],
        ],
        unit: "binBps",
    }),
];

const latency = [
    heatmap({
        title: "Relay latency",
        description: "From a message's publish, on any node, until it is written to its subscribers' sockets: how many took how long, in a second.",
        expr: `sum by (le) (${rate("fanfare_relay_latency_seconds_bucket")})`,
    }),
    lines({
        title: "Relay latency: p50, p99, p99.9",
        description: "Half, all but one in a hundred, and all but one in a thousand messages take no longer.",
        queries: [0.5, 0.99, 0.999].map((q) => [quantile(q, "fanfare_relay_latency_seconds"), `p${q * 100}`]),
        unit: "s",
        log: true,
        width: 12,
    }),
    lines({
        title: "Relay latency per node, p99",
        description: "One node above the others: that node is busy, or far from Redis. All nodes: Redis is busy. FanfareRelayLatencyHigh fires past 0.5 s.",
        queries: [[`histogram_quantile(0.99, sum by (instance, le) (${rate("fanfare_relay_latency_seconds_bucket")}))`, "{{instance}}"]],
        unit: "s",
    }),
    lines({
        title: "Canary: round trip by Redis",
        description: "How long a message of a node to itself is under way, once a second; p99 of each node.",
        queries: [[`histogram_quantile(0.99, sum by (instance, le) (${rate("fanfare_redis_round_trip_seconds_bucket")}))`, "{{instance}}"]],
        unit: "s",
    }),
    lines({
        title: "Busiest shard",
        description: "Share of the time in which a node's busiest shard had something to write out. Near 1 the shard is full, and latency grows.",
        queries: [[`max by (instance) (${rate("fanfare_shard_busy_seconds_total")})`, "{{instance}}"]],
        unit: "percentunit",
        max: 1,
        marks: [0.9, 0.9],
    }),
];

const queues = [
    lines({
        title: "Waits for slow clients",
        description: "Bytes that sockets refused, and that wait. Their bound is limits.outbound_total_bytes.",
        queries: [[of("fanfare_outbound_queued_bytes"), "{{instance}}"]],
        unit: "bytes",
        width: 6,
    }),
    lines({
        title: "Waits for the shards",
        description: "Bytes that came from Redis and were not written out yet. Past limits.inbound_bytes Redis is made to wait.",
        queries: [[of("fanfare_inbound_queued_bytes"), "{{instance}}"]],
        unit: "bytes",
        width: 6,
    }),
    lines({
        title: "How full the queues are",
        description: "The used part of each bound. FanfareOutboundShort fires past 80 % for slow clients.",
        queries: [
            [`${of("fanfare_outbound_queued_bytes")} / ${of("fanfare_outbound_queued_limit_bytes")}`, "{{instance}} for slow clients"],
            [`${of("fanfare_inbound_queued_bytes")} / ${of("fanfare_inbound_queued_limit_bytes")}`, "{{instance}} for the shards"],
        ],
        unit: "percentunit",
        max: 1,
        marks: [0.8, 0.8],
        width: 6,
    }),
    lines({
        title: "Slow clients",
        description: "Clients that did not read fast enough, in five minutes: disconnected, or fell behind (conflate).",
        queries: [[`sum by (instance, policy) (increase(${of("fanfare_slow_clients_total")}[5m]))`, "{{instance}} {{policy}}"]],
        unit: "short",
        width: 6,
    }),
];

const broker = [
    states({
        title: "Broker",
        description: "Away: Redis takes nothing from this node. Deaf: it takes messages and does not deliver them to this node.",
        queries: [[brokerState, "{{instance}}"]],
        words: BROKER_STATES,
    }),
    states({
        title: "Drain",
        description: "Nodes that were told to end.",
        queries: [[perNode(of("fanfare_draining")), "{{instance}}"]],
        words: DRAINING,
    }),
    lines({
        title: "Interruptions and losses",
        description: "Times from which messages may have been missed, by reason (docs/redis.md), and gaps that were seen outside of them, in five minutes.",
        queries: [
            [parts("reason", `increase(${of("fanfare_broker_interruptions_total")}[5m])`), "interruption {{reason}}"],
            [`sum(increase(${of("fanfare_publications_missed_total")}[5m]))`, "missed otherwise"],
        ],
        unit: "short",
    }),
    lines({
        title: "Waits for Redis",
        description: "Commands, publishes above all, that wait to be written to Redis or answered by it.",
        queries: [[of("fanfare_redis_publisher_queue_length"), "{{instance}}"]],
        unit: "short",
    }),
    lines({
        title: "To be closed by a drain",
        description: "Connections that were not told yet, and those that were sent away in a second. A drain has sent everybody away once the node has no connections.",
        queries: [
            [of("fanfare_connections_to_close"), "{{instance}} to close"],
            [`sum(${rate("fanfare_connections_closed_total", 'reason="restart"')})`, "closed a second"],
        ],
        unit: "short",
    }),
];

const resources = [
    lines({
        title: "CPU",
        description: "Cores that each node uses.",
        queries: [[rate("process_cpu_seconds_total"), "{{instance}}"]],
        unit: "short",
        width: 6,
    }),
    lines({
        title: "CPU per connection",
        description: "Core seconds a second. A node without connections is left out.",
        queries: [[`sum by (instance) (${rate("process_cpu_seconds_total")}) / (${perNode(of("fanfare_connections"))} > 0)`, "{{instance}}"]],
        unit: "s",
        width: 6,
    }),
    lines({
        title: "Memory",
        description: "Resident memory of the process, without what the kernel holds for its sockets.",
        queries: [[of("process_resident_memory_bytes"), "{{instance}}"]],
        unit: "bytes",
        width: 6,
    }),
    lines({
        title: "Memory per connection",
        description: "Resident memory divided by connections; the memory of an idle node is part of it, so look from a thousand connections on.",
        queries: [[`sum by (instance) (${of("process_resident_memory_bytes")}) / (${perNode(of("fanfare_connections"))} > 0)`, "{{instance}}"]],
        unit: "bytes",
        width: 6,
    }),
    lines({
        title: "Memory left",
        description: "Memory that is left: of the control group or of the machine, whichever has less. Sockets in the kernel count. FanfareMemoryShort fires below 10 %.",
        queries: [[of("job_instance:fanfare_memory_available:ratio"), "{{instance}}"]],
        unit: "percentunit",
        max: 1,
        marks: [0.1, 0.1],
        width: 12,
    }),
    lines({
        title: "Workers busy",
        description: "Share of the time in which the threads of a node ran tasks.",
        queries: [[`sum by (instance) (${rate("fanfare_runtime_busy_seconds_total")}) / sum by (instance) (${of("fanfare_runtime_workers")})`, "{{instance}}"]],
        unit: "percentunit",
        max: 1,
        width: 12,
    }),
];

const firing = list({
    title: "Firing alerts",
    description: "docs/operations.md has a section for each: its meaning, and what to do.",
    expr: `${FIRING} or on () label_replace(vector(0), "alertname", "none", "", "")`,
    labels: ["alertname", "severity", "instance", "reason", "limit", "policy", "listener", "shard"],
});

const nodes = table({
    title: "Nodes",
    description: "A node's name leads to its own dashboard.",
    link: "/d/fanfare-node?var-datasource=${datasource}&var-job=${job}&var-node=${__value.raw}",
    height: 7,
    columns: [
        [`sum by (instance, version) (${of("fanfare_build_info")})`, "build", "none"],
        [brokerState, "broker", "none", BROKER_STATES],
        [perNode(of("fanfare_draining")), "state", "none", DRAINING],
        [perNode(of("fanfare_connections")), "connections", "short"],
        [perNode(rate("fanfare_deliveries_total")), "deliveries", "cps"],
        [perNode(rate("process_cpu_seconds_total")), "cores", "short"],
        [perNode(of("process_resident_memory_bytes")), "memory", "bytes"],
        [`time() - ${perNode(of("process_start_time_seconds"))}`, "up", "s"],
    ],
});

export const overview = dashboard({
    uid: "fanfare-overview",
    title: "Fanfare: overview",
    description: "A cluster of Fanfare nodes. docs/metrics.md explains each metric, docs/operations.md each alert.",
    allNodes: true,
    links: [],
    annotations: [
        ["Node started", "blue", 'changes(process_start_time_seconds{job="$job", instance=~"$node"}[1m]) > 0', "{{instance}} started again"],
        ["Alert", "red", FIRING, "{{alertname}} {{instance}}"],
    ],
    rows: [
        ["", [...now, firing]],
        ["Nodes", [nodes]],
        ["Connections", connections],
        ["Messages", messages],
        ["Latency", latency],
        ["Queues and slow clients", queues],
        ["Broker and drain", broker],
        ["CPU and memory", resources],
    ],
});
