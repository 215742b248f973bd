// The JavaScript SDK: fetch, and `res.json()` on every answer of 2xx. Beside it what a user of it does:
// `node sdk.mjs BASE_URL API_KEY ADMIN_KEY RECEIVER_URL` prints what came back as one JSON object.

import { createHmac, timingSafeEqual } from "node:crypto";

class HookLineError extends Error {
  constructor(status, body) {
    super(body.message || body.error);
    this.status = status;
    this.code = body.error;
  }
}

export class HookLine {
  constructor({ baseUrl, apiKey }) {
    this.baseUrl = baseUrl;
    this.apiKey = apiKey;
    this.admin = {
      tenants: {
        create: (tenant) => this.request("POST", "/v1/tenants", tenant),
        list: () => this.request("GET", "/v1/tenants"),
        delete: (id) => this.request("DELETE", `/v1/tenants/${encodeURIComponent(id)}`),
      },
    };
  }

  async request(method, path, body) {
    const headers = { Authorization: `Bearer ${this.apiKey}`, "Content-Type": "application/json" };
    const options = { method, headers };
    if (body !== undefined) options.body = JSON.stringify(body);
    const res = await fetch(this.baseUrl + path, options);
    if (!res.ok) throw new HookLineError(res.status, await res.json());
    return res.json();
  }

  publishEvent(event) {
    return this.request("POST", "/v1/events", event);
  }

  listEvents(query = {}) {
    return this.request("GET", `/v1/events?${new URLSearchParams(query)}`);
  }

  createEndpoint(endpoint) {
    return this.request("POST", "/v1/endpoints", endpoint);
  }

  updateEndpoint(id, change) {
    return this.request("PATCH", `/v1/endpoints/${id}`, change);
  }

  listEndpoints() {
    return this.request("GET", "/v1/endpoints");
  }

  deleteEndpoint(id) {
    return this.request("DELETE", `/v1/endpoints/${id}`);
  }

  createSubscription({ endpointId, topicPattern = "#", filter, transform }) {
    const body = { endpoint_id: endpointId, topic_pattern: topicPattern };
    if (filter) body.filter = filter;
    if (transform) body.transform = transform;
    return this.request("POST", "/v1/subscriptions", body);
  }

  listSubscriptions() {
    return this.request("GET", "/v1/subscriptions");
  }

  listDeliveries(query = {}) {
    return this.request("GET", `/v1/deliveries?${new URLSearchParams(query)}`);
  }

  static verifySignature(body, timestamp, signature, secret) {
    const expected = "v1=" + createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex");
    return expected.length === signature.length && timingSafeEqual(Buffer.from(expected), Buffer.from(signature));
  }
}

// How a call ends that fails: with the status and code of the server, or with what JavaScript says.
async function failureOf(promise) {
  try {
    await promise;
    return null;
  } catch (fault) {
    return fault instanceof HookLineError ? [fault.status, fault.code] : fault.name;
  }
}

async function use(baseUrl, apiKey, adminKey, receiverUrl) {
  const hookline = new HookLine({ baseUrl, apiKey });
  const operator = new HookLine({ baseUrl, apiKey: adminKey });
  const seen = {};

  seen.endpoint = await hookline.createEndpoint({ url: receiverUrl, name: "js", secret: "of the JS SDK" });
  seen.changed = await hookline.updateEndpoint(seen.endpoint.id, { name: "renamed" });
  seen.subscription = await hookline.createSubscription({
    endpointId: seen.endpoint.id,
    filter: { gte: "payload.total", value: 10 },
    transform: [{ op: "remove_field", field: "note" }],
  });
  seen.small = await hookline.publishEvent({ topic: "order.paid", payload: { total: 9 } });
  seen.event = await hookline.publishEvent({ topic: "order.paid", payload: { total: 10 }, note: "inside" });
  seen.repeats = [];
  for (const total of [11, 12]) {
    seen.repeats.push(await hookline.publishEvent({ topic: "a", payload: { total }, idempotency_key: "k" }));
  }
  seen.page = await hookline.listEvents({ limit: 2 });
  seen.rest = await hookline.listEvents({ limit: 2, cursor: seen.page.next_cursor });
  do {
    seen.deliveries = await hookline.listDeliveries({ event_id: seen.event.id });
  } while (seen.deliveries.count === 0);

  seen.missing = await failureOf(hookline.publishEvent({ payload: {} }));
  seen.unknown = await failureOf(hookline.request("GET", "/v1/nothing"));
  seen.method = await failureOf(hookline.request("PUT", "/v1/events", {}));
  seen.stranger = await failureOf(new HookLine({ baseUrl, apiKey: "wrong" }).listEvents());
  seen.socket = await failureOf(hookline.request("GET", "/v1/ws"));

  const id = `of-js-${process.pid}`;
  seen.tenant = await operator.admin.tenants.create({ id, name: "JS" });
  seen.tenants = (await operator.admin.tenants.list()).items.filter((tenant) => tenant.id === id);
  seen.deletions = [
    await failureOf(operator.admin.tenants.delete(id)),
    await failureOf(hookline.deleteEndpoint(seen.endpoint.id)),
  ];
  seen.left = [await hookline.listEndpoints(), await hookline.listSubscriptions()];
  return seen;
}

if (process.argv[2] === "verify") {
  const [body, timestamp, signature, secret] = process.argv.slice(3);
  console.log(HookLine.verifySignature(body, timestamp, signature, secret));
} else {
  console.log(JSON.stringify(await use(...process.argv.slice(2))));
}
