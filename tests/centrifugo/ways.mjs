// The ways in which npm's centrifuge speaks to a node:
//
//   json | protobuf | http-stream | http-stream-protobuf | sse

import { EventSource } from "eventsource";
import WebSocket from "ws";
import { Centrifuge as Json } from "centrifuge";
import { Centrifuge as Protobuf } from "centrifuge/build/protobuf";

export const isProtobuf = (way) => way.endsWith("protobuf");
export const overHttp = (way) => (way.startsWith("http-stream") ? "http_stream" : way === "sse" && "sse");
export const encode = (way, value) => (isProtobuf(way) ? new TextEncoder().encode(JSON.stringify(value)) : value);
export const decode = (way, data) => (isProtobuf(way) ? JSON.parse(new TextDecoder().decode(data)) : data);

/** A client of a node, not connected yet. What it sends by requests goes to `other`. */
export function speak(way, node, other, options) {
  const [endpoint, spoken] = transport(overHttp(way), node, other);
  const Centrifuge = isProtobuf(way) ? Protobuf : Json;
  return new Centrifuge(endpoint, { ...spoken, minReconnectDelay: 50, maxReconnectDelay: 500, ...options });
}

function transport(http, node, other) {
  if (!http) return [`${node.replace("http", "ws")}/connection/websocket`, { websocket: WebSocket }];
  const emulationEndpoint = `${other}/emulation`;
  return [[{ transport: http, endpoint: `${node}/connection/${http}` }], { emulationEndpoint, eventsource: EventSource }];
}
