// A webhook receiver that needs nothing but Node.js: `HOOKLINE_SECRET=whsec_… PORT=9000 node receiver.mjs`.
// It takes a delivery only if its signature is right and its time is near, and handles each event once.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

// Several, separated by spaces, while you change from one to the next.
const SECRETS = process.env.HOOKLINE_SECRET.trim().split(/\s+/).map((spelled) => {
  // A secret as it is spelled, and as the key that Standard Webhooks makes of it.
  const key = spelled.startsWith("whsec_") ? Buffer.from(spelled.slice(6), "base64") : Buffer.from(spelled);
  if (key.length === 0) throw new Error("HOOKLINE_SECRET: set it to the endpoint's secret");
  return { spelled, key };
});
const TOLERANCE_MS = 5 * 60 * 1000;
const LARGEST_BODY = 1024 * 1024;
const MOST_SEEN = 100_000;

// Your work. If it throws, the answer is 500 and HookLine tries again later.
async function handle(eventId, body) {
  const document = JSON.parse(body);
  const event = document.event ?? document;
  console.log(eventId, event.topic ?? event.type);
}

// The event's id if the delivery is signed with one of our secrets and not old; else null.
function authenticId(headers, body) {
  return "webhook-signature" in headers ? standardId(headers, body) : hooklineId(headers, body);
}

// By Standard Webhooks: `webhook-signature` is base64 of HMAC-SHA256 over `id.timestamp.body`.
function standardId(headers, body) {
  const { "webhook-id": id = "", "webhook-timestamp": timestamp = "" } = headers;
  const signatures = headers["webhook-signature"].split(" "); // one for each secret of the endpoint
  for (const { key } of SECRETS) {
    const digest = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
    if (signatures.some((signature) => same(`v1,${digest}`, signature)) && isNear(timestamp, 1000)) return id;
  }
  return null;
}

// By `x-hl-signature`: hexadecimal HMAC-SHA256 over `timestamp.body`, the time in milliseconds. The id must
// come from the body, since no header but the time is signed.
function hooklineId(headers, body) {
  const { "x-hl-timestamp": timestamp = "", "x-hl-signature": signature = "" } = headers;
  for (const { spelled } of SECRETS) {
    const digest = createHmac("sha256", spelled).update(`${timestamp}.`).update(body).digest("hex");
    if (same(`v1=${digest}`, signature) && isNear(timestamp, 1)) return JSON.parse(body).event_id;
  }
  return null;
}

// Takes as long for a wrong signature as for a right one.
function same(expected, given) {
  const [one, other] = [Buffer.from(expected), Buffer.from(given)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function isNear(timestamp, unitInMs) {
  return /^\d{1,15}$/.test(timestamp) && Math.abs(Date.now() - timestamp * unitInMs) <= TOLERANCE_MS;
}

// The last ids that were handled. In earnest, a unique column in the transaction of the work itself.
const seen = new Set();
let turn = Promise.resolve();

// Handles an event unless it has been. One at a time, so that two repeats cannot pass each other.
function once(eventId, body) {
  turn = turn.catch(() => {}).then(async () => {
    if (seen.has(eventId)) return;
    await handle(eventId, body);
    seen.add(eventId); // after the work: if that fails, the next attempt is no repeat
    if (seen.size > MOST_SEEN) seen.delete(seen.values().next().value);
  });
  return turn;
}

// The body as it came: JSON that is parsed and written anew has another signature. Null if it is too large.
async function rawBody(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= LARGEST_BODY) chunks.push(chunk);
  }
  return size <= LARGEST_BODY ? Buffer.concat(chunks) : null;
}

async function receive(request) {
  const body = await rawBody(request);
  if (body === null) return 413;
  const eventId = authenticId(request.headers, body);
  if (eventId === null) return 401;
  await once(eventId, body);
  return 204;
}

createServer(async (request, response) => {
  response.statusCode = await receive(request).catch(() => 500);
  response.end();
}).listen(Number(process.env.PORT ?? 9000));
