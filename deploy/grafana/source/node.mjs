// "Fanfare: one node": all that a node tells of itself.

import { dashboard } from "./dashboard.mjs";
import { BROKER_STATES, DRAINING } from "./overview.mjs";
import { heatmap, lines, mappings, number } from "./panels.mjs";
import { parts } from "./queries.mjs";

const NODE = 'job="$job", instance="$node"';
const of = (metric, labels = "") => `${metric}{${NODE}${labels && `, ${labels}`}}`;
const rate = (metric, labels) => `rate(${of(metric, labels)}[$__rate_interval])`;
const quantile = (q, metric, labels) => `histogram_quantile(${q}, sum by (le) (${rate(`${metric}_bucket`, labels)}))`;

const now = [
    number({
        title: "Broker",
        description: "Away: Redis takes nothing from this node. Deaf: it takes messages and does not deliver them to this node. Split: a second Redis takes messages too.",
        queries: [[`max(${of("fanfare_broker_state", 'state="up"')} or 2 * ${of("fanfare_broker_state", 'state="away"')} or 3 * ${of("fanfare_broker_state", 'state="deaf"')} or 4 * ${of("fanfare_broker_state", 'state="split"')})`, ""]],
        unit: "none",
        mappings: mappings(BROKER_STATES),
        graph: "none",
        width: 3,
    }),
    number({
        title: "State",
        description: "Draining: the node was told to end.",
        queries: [[of("fanfare_draining"), ""]],
        unit: "none",
        mappings: mappings(DRAINING),
        graph: "none",
        width: 3,
    }),
    number({
        title: "Up for",
        description: "Since the process was started.",
        queries: [[`time() - ${of("process_start_time_seconds")}`, ""]],
        unit: "s",
        graph: "none",
        width: 3,
    }),
    number({
        title: "Version",
        description: "The release.",
        queries: [[of("fanfare_build_info"), "{{version}}"]],
        unit: "none",
        text: "name",
        graph: "none",
        width: 3,
    }),
    number({
        title: "Connections",
        description: "Open connections of clients.",
        queries: [[`sum(${of("fanfare_connections")})`, ""]],
        unit: "short",
        width: 3,
    }),
    number({
        title: "Deliveries",
        description: "Messages handed to subscribers in a second, one for each of them.",
        queries: [[rate("fanfare_deliveries_total"), ""]],
        unit: "cps",
        width: 3,
    }),
    number({
        title: "Relay latency, p99",
        description: "From a message's publish, on any node, until it is written to the sockets of this one: 99 in 100 messages take no longer.",
        queries: [[quantile(0.99, "fanfare_relay_latency_seconds"), ""]],
        unit: "s",
        marks: [0.1, 0.5],
        width: 3,
    }),
    number({
        title: "Memory left",
        description: "Memory that is left: of the control group or of the machine, whichever has less.",
        queries: [[of("job_instance:fanfare_memory_available:ratio"), ""]],
        unit: "percentunit",
        marks: [0.2, 0.1],
        width: 3,
    }),
];

const clients = [
    lines({
        title: "Connections",
        description: "Open connections, by protocol and transport. Streams and polls of plain HTTP have a protocol each.",
        queries: [[`sum by (dialect, transport) (${of("fanfare_connections")})`, "{{dialect}} {{transport}}"]],
        unit: "short",
    }),
    lines({
        title: "Handshakes, by result",
        description: "Upgrades that were answered with 101, and with anything else, in a second.",
        queries: [[`sum by (result) (${rate("fanfare_handshake_duration_seconds_count")})`, "{{result}}"]],
        unit: "cps",
    }),
    lines({
        title: "Handshake, until its 101",
        description: "From the arrival of an upgrade's request until its answer; the confirmation of Redis is part of it.",
        queries: [0.5, 0.99].map((q) => [quantile(q, "fanfare_handshake_duration_seconds", 'result="accepted"'), `p${q * 100}`]),
        unit: "s",
    }),
    lines({
        title: "Closed, by code and reason",
        description: "no_pong: a heartbeat was missed. slow: the client did not read. restart: a drain. lost: no close frame came.",
        queries: [[parts("code, reason", rate("fanfare_connections_closed_total")), "{{code}} {{reason}}"]],
        unit: "cps",
        stacked: true,
    }),
    lines({
        title: "Refused handshakes, by reason",
        description: "Upgrades, and HTTP connections, that were refused.",
        queries: [[parts("reason", rate("fanfare_handshakes_refused_total")), "{{reason}}"]],
        unit: "cps",
        stacked: true,
    }),
    lines({
        title: "Limits",
        description: "How often a limit refused, cut or held up something, by its key in [limits].",
        queries: [[parts("limit", rate("fanfare_limits_hit_total")), "{{limit}}"]],
        unit: "cps",
        stacked: true,
    }),
    lines({
        title: "Errors of the HTTP API and of HTTP",
        description: "Calls that were not carried out, by the reason in their answer, and HTTP connections that ended badly.",
        queries: [
            [parts("reason", rate("fanfare_api_errors_total")), "api {{reason}}"],
            [parts("kind", rate("fanfare_http_errors_total")), "http {{kind}}"],
        ],
        unit: "cps",
        stacked: true,
    }),
    lines({
        title: "Slow clients",
        description: "Clients that did not read fast enough, in five minutes: disconnected, or fell behind (conflate).",
        queries: [[`sum by (policy) (increase(${of("fanfare_slow_clients_total")}[5m]))`, "{{policy}}"]],
        unit: "short",
    }),
    lines({
        title: "Conflated",
        description: "Messages that a newer one of their channel replaced before a slow client could get them.",
        queries: [[rate("fanfare_publications_conflated_total"), "messages"]],
        unit: "cps",
    }),
];

const messages = [
    lines({
        title: "Messages of clients",
        description: "Messages from clients, and to clients.",
        queries: [[rate("fanfare_messages_received_total"), "received"], [rate("fanfare_messages_sent_total"), "sent"]],
        unit: "cps",
    }),
    lines({
        title: "Bytes of clients",
        description: "Frames with their headers, without TLS.",
        queries: [[rate("fanfare_wire_received_bytes_total"), "received"], [rate("fanfare_wire_sent_bytes_total"), "sent"]],
        unit: "binBps",
    }),
    lines({
        title: "Subscribers of a message",
        description: "To how many subscribers of this node each message from the broker goes.",
        queries: [0.5, 0.99].map((q) => [quantile(q, "fanfare_fan_out_subscribers"), `p${q * 100}`]),
        unit: "short",
    }),
    lines({
        title: "Deliveries for a write",
        description: "How many messages one write to a socket carries: it grows under load, before anything else does.",
        queries: [[`${rate("fanfare_deliveries_total")} / (${rate("fanfare_delivery_writes_total")} > 0)`, "deliveries"]],
        unit: "short",
    }),
    lines({
        title: "Channels and subscriptions",
        description: "Channels with a subscriber here, connections in channels, and channels that Redis was asked for.",
        queries: [
            [of("fanfare_channels"), "channels"],
            [of("fanfare_subscriptions"), "subscriptions"],
            [of("fanfare_broker_subscriptions"), "subscriptions in Redis"],
        ],
        unit: "short",
    }),
    lines({
        title: "Messages that did not arrive",
        description: "Without a subscriber here any more, dropped as unreadable, dropped as late, or missed outside of interruptions.",
        queries: [
            [rate("fanfare_publications_unheard_total"), "nobody listens"],
            [`sum(${rate("fanfare_broker_messages_dropped_total")})`, "unreadable"],
            [rate("fanfare_publications_out_of_order_total"), "out of order"],
            [rate("fanfare_publications_missed_total"), "missed"],
            [rate("fanfare_publishes_untold_total"), "failed, and nobody was told"],
            [rate("fanfare_presence_news_untold_total"), "news of clients that the broker did not take"],
        ],
        unit: "cps",
    }),
];

const latency = [
    heatmap({
        title: "Relay latency",
        description: "From a message's publish, on any node, until it is written to its subscribers here: how many took how long, in a second.",
        expr: `sum by (le) (${rate("fanfare_relay_latency_seconds_bucket")})`,
    }),
    lines({
        title: "Relay latency by origin",
        description: "local: published on this node. remote: on another, by the clock of Redis.",
        queries: ["local", "remote"].flatMap((origin) =>
            [0.5, 0.99].map((q) => [quantile(q, "fanfare_relay_latency_seconds", `origin="${origin}"`), `${origin} p${q * 100}`]),
        ),
        unit: "s",
        log: true,
        width: 12,
    }),
    lines({
        title: "Publish, until Redis answers",
        description: "From handing a message to the broker until it is taken.",
        queries: [0.5, 0.99].map((q) => [quantile(q, "fanfare_broker_publish_duration_seconds", 'result="taken"'), `p${q * 100}`]),
        unit: "s",
    }),
    lines({
        title: "Canary: round trip by Redis",
        description: "How long a message of this node to itself is under way, once a second.",
        queries: [0.5, 0.99].map((q) => [quantile(q, "fanfare_redis_round_trip_seconds"), `p${q * 100}`]),
        unit: "s",
    }),
    lines({
        title: "Clock of Redis",
        description: "How far it is ahead of this node's. Latencies are by the clock of Redis, on all nodes.",
        queries: [[of("fanfare_redis_clock_offset_seconds"), "ahead"]],
        unit: "s",
        min: null,
    }),
];

const redis = [
    lines({
        title: "Publishes, by result",
        description: "Taken by Redis; refused: they reached nobody; unknown: the connection ended before its answer.",
        queries: [[`sum by (result) (${rate("fanfare_broker_publish_duration_seconds_count")})`, "{{result}}"]],
        unit: "cps",
    }),
    lines({
        title: "Messages from Redis",
        description: "Publications, and those among them without our envelope: somebody's plain PUBLISH.",
        queries: [[rate("fanfare_broker_messages_received_total"), "all"], [rate("fanfare_broker_foreign_messages_total"), "plain"]],
        unit: "cps",
    }),
    lines({
        title: "Commands, by kind",
        description: "Commands sent to Redis, by what they are for.",
        queries: [[parts("kind", rate("fanfare_redis_commands_total")), "{{kind}}"]],
        unit: "cps",
        stacked: true,
    }),
    lines({
        title: "Waits for Redis",
        description: "Commands, publishes above all, that wait to be written to Redis or answered by it.",
        queries: [[of("fanfare_redis_publisher_queue_length"), "commands"]],
        unit: "short",
    }),
    lines({
        title: "Bytes to and from Redis",
        description: "Bytes on the connections that publish and subscribe.",
        queries: [[rate("fanfare_redis_sent_bytes_total"), "sent"], [rate("fanfare_redis_received_bytes_total"), "received"]],
        unit: "binBps",
    }),
    lines({
        title: "Errors, reconnects, interruptions",
        description: "Errors that Redis answered, connections after the first, and times from which messages may have been missed; in five minutes.",
        queries: [
            [`sum(increase(${of("fanfare_redis_errors_total")}[5m]))`, "errors"],
            [`sum by (connection) (increase(${of("fanfare_redis_reconnects_total")}[5m]))`, "reconnects of the {{connection}}"],
            [`sum(increase(${of("fanfare_broker_interruptions_total")}[5m]))`, "interruptions"],
        ],
        unit: "short",
    }),
];

const history = [
    lines({
        title: "Kept publishes",
        description: "Messages of this node that went into the history of their channel; and those that were not delivered, because one with their idempotency key had been.",
        queries: [[rate("fanfare_publishes_kept_total"), "kept"], [rate("fanfare_publishes_duplicate_total"), "duplicates"]],
        unit: "cps",
    }),
    lines({
        title: "Heals, by result",
        description: "Channels that had missed messages, in five minutes. healed: subscribers got all of them. failed: some are lost, and FanfareHealsFailed fires.",
        queries: [[`sum by (result) (increase(${of("fanfare_history_heals_total")}[5m]))`, "{{result}}"]],
        unit: "short",
    }),
    lines({
        title: "Recoveries, by result",
        description: "Clients that asked for the past. tail: the node had it. read: it was read from the history. lost: the history does not reach back. failed: it could not be read.",
        queries: [[`sum by (result) (${rate("fanfare_history_recoveries_total")})`, "{{result}}"]],
        unit: "cps",
    }),
    lines({
        title: "Subscriptions that lost messages",
        description: "Subscriptions of SDKs that ended since their channel lost messages, in five minutes. Their clients subscribe again.",
        queries: [[`increase(${of("fanfare_history_subscriptions_interrupted_total")}[5m])`, "subscriptions"]],
        unit: "short",
    }),
    lines({
        title: "Reads of histories, by purpose",
        description: "heal: what a channel missed. recover: what clients asked for. position: the newest position of many channels.",
        queries: [[`sum by (purpose) (${rate("fanfare_history_reads_total")})`, "{{purpose}}"]],
        unit: "cps",
    }),
    lines({
        title: "Kept by the node",
        description: "Bytes of the messages that the node keeps of channels with history. Past limits.history_bytes the least used go.",
        queries: [[of("fanfare_history_tail_bytes"), "bytes"], [of("fanfare_history_tail_limit_bytes"), "limit"]],
        unit: "bytes",
    }),
    lines({
        title: "Came or went twice",
        description: "Messages that came twice and were dropped, and messages that were written to Redis again because their connection ended before the answer.",
        queries: [[rate("fanfare_history_duplicates_total"), "dropped"], [rate("fanfare_redis_replays_total"), "written again"]],
        unit: "cps",
    }),
    lines({
        title: "Presence and revocations",
        description: "Clients of this node in channels with presence, one for each client and channel; and revocations in force.",
        queries: [[of("fanfare_presence_entries"), "present"], [of("fanfare_revocations"), "revocations"]],
        unit: "short",
    }),
    lines({
        title: "Presence that Redis did not take",
        description: "Writes of presence that failed, in five minutes. The node tries them again.",
        queries: [[`increase(${of("fanfare_redis_presence_failures_total")}[5m])`, "writes"]],
        unit: "short",
    }),
];

const events = [
    lines({
        title: "Events that wait",
        description: "Events of all nodes that your backend (hooks.events) did not take yet, on the node that sends. FanfareEventsWaiting fires where it takes none for five minutes. Past 100,000 the oldest are dropped.",
        queries: [[of("fanfare_events_waiting"), "events"]],
        unit: "short",
    }),
    lines({
        title: "Events taken and dropped",
        description: "taken: your backend has them. dropped: they fell off before it took them, and FanfareEventsDropped fires.",
        queries: [[rate("fanfare_events_sent_total"), "taken"], [rate("fanfare_events_dropped_total"), "dropped"]],
        unit: "cps",
    }),
    lines({
        title: "Batches of events, by result",
        description: "taken, or sent again: refused: its status was not 2xx. failure: it did not answer in time.",
        queries: [[`sum by (result) (${rate("fanfare_event_batches_total")})`, "{{result}}"]],
        unit: "cps",
    }),
];

const inside = [
    lines({
        title: "Shards",
        description: "Share of the time in which a shard had something to write out. Near 1 the shard is full, and latency grows.",
        queries: [[rate("fanfare_shard_busy_seconds_total"), "shard {{shard}}"]],
        unit: "percentunit",
        max: 1,
        marks: [0.9, 0.9],
    }),
    lines({
        title: "Workers",
        description: "Share of the time in which the node's threads ran tasks.",
        queries: [[`${rate("fanfare_runtime_busy_seconds_total")} / ${of("fanfare_runtime_workers")}`, "busy"]],
        unit: "percentunit",
        max: 1,
    }),
    lines({
        title: "Tasks",
        description: "Tasks, at least one for each connection; and those that are ready to run, and wait.",
        queries: [[of("fanfare_runtime_tasks"), "all"], [of("fanfare_runtime_queued_tasks"), "waiting"]],
        unit: "short",
    }),
    lines({
        title: "Waits for the shards",
        description: "Bytes that came from Redis and were not written out yet. Past limits.inbound_bytes Redis is made to wait.",
        queries: [[of("fanfare_inbound_queued_bytes"), "bytes"]],
        unit: "bytes",
    }),
    lines({
        title: "Waits for slow clients",
        description: "Bytes that sockets refused. Past limits.outbound_total_bytes the clients with the most waiting bytes are disconnected.",
        queries: [[of("fanfare_outbound_queued_bytes"), "bytes"]],
        unit: "bytes",
    }),
    lines({
        title: "Redis was made to wait",
        description: "Times that the broker was told to wait for the shards.",
        queries: [[rate("fanfare_broker_waits_total"), "waits"]],
        unit: "cps",
    }),
    lines({
        title: "CPU",
        description: "Cores that the process uses.",
        queries: [[rate("process_cpu_seconds_total"), "cores"]],
        unit: "short",
        width: 6,
    }),
    lines({
        title: "Memory",
        description: "Resident memory of the process, without what the kernel holds for its sockets.",
        queries: [[of("process_resident_memory_bytes"), "resident"]],
        unit: "bytes",
        width: 6,
    }),
    lines({
        title: "Memory per connection",
        description: "Resident memory divided by connections; the memory of an idle node is part of it.",
        queries: [[`${of("process_resident_memory_bytes")} / on () (sum(${of("fanfare_connections")}) > 0)`, "bytes"]],
        unit: "bytes",
        width: 6,
    }),
    lines({
        title: "Descriptors and threads",
        description: "Descriptors that the process has, and its threads.",
        queries: [[of("process_open_fds"), "descriptors"], [of("process_threads"), "threads"]],
        unit: "short",
        width: 6,
    }),
    lines({
        title: "How full it is",
        description: "The used part of each bound: connections, descriptors, bytes that wait for slow clients and for the shards, and memory of its control group or machine, sockets in the kernel included.",
        queries: [
            [`sum(${of("fanfare_connections")}) / sum(${of("fanfare_connections_limit")})`, "connections"],
            [of("job_instance:process_open_fds:ratio"), "descriptors"],
            [`${of("fanfare_outbound_queued_bytes")} / ${of("fanfare_outbound_queued_limit_bytes")}`, "for slow clients"],
            [`${of("fanfare_inbound_queued_bytes")} / ${of("fanfare_inbound_queued_limit_bytes")}`, "for the shards"],
            [`1 - ${of("job_instance:fanfare_memory_available:ratio")}`, "memory"],
        ],
        unit: "percentunit",
        max: 1,
        marks: [0.9, 0.9],
        width: 12,
    }),
    lines({
        title: "Drain",
        description: "Connections that are to be closed at a pace and were not told yet, and those that are still open.",
        queries: [[of("fanfare_connections_to_close"), "to close"], [`sum(${of("fanfare_connections")})`, "open"]],
        unit: "short",
        width: 6,
    }),
    lines({
        title: "Log lines and spans",
        description: "Log lines that were suppressed because there were too many, and spans by their outcome.",
        queries: [
            [rate("fanfare_log_lines_suppressed_total"), "lines suppressed"],
            [`sum by (result) (${rate("fanfare_trace_spans_total")})`, "spans {{result}}"],
        ],
        unit: "cps",
        width: 6,
    }),
];

export const node = dashboard({
    uid: "fanfare-node",
    title: "Fanfare: one node",
    description: "All that one Fanfare node tells of itself. docs/metrics.md explains each metric.",
    allNodes: false,
    links: [
        {
            title: "Overview",
            type: "link",
            url: "/d/fanfare-overview?var-datasource=${datasource}&var-job=${job}",
            icon: "dashboard",
            tooltip: "",
            tags: [],
            asDropdown: false,
            includeVars: false,
            keepTime: true,
            targetBlank: false,
        },
    ],
    annotations: [["Alert", "red", 'ALERTS{alertstate="firing", alertname=~"Fanfare.*", job="$job", instance="$node"}', "{{alertname}}"]],
    rows: [
        ["", now],
        ["Clients", clients],
        ["Messages", messages],
        ["Latency", latency],
        ["Redis", redis],
        ["History", history],
        ["Events for your backend", events],
        ["Inside the node", inside],
    ],
});
