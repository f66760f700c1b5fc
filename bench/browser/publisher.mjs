// Publishes at a given rate from a thread of its own: QoS 0 over TCP, packets written before the clock
// starts. Each message is one number of its topic, and says by its own number how many came before it.
import { connect } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

const TICK_MS = 5;
const CONNECT = Buffer.from([0x10, 12, 0, 4, ...Buffer.from("MQTT"), 4, 2, 0, 0, 0, 0]);

const { port, topics, rate, seconds, retain } = workerData;
const names = Array.from({ length: topics }, (_, n) => Buffer.from(`bench/${n % 100}/sensor-${n}`));

function packet(n) {
  const topic = names[n % topics];
  const payload = Buffer.from((20 + (n % 1000) / 100).toFixed(2));
  const head = Buffer.from([0x30 | Number(retain), 2 + topic.length + payload.length, topic.length >> 8, topic.length & 255]);
  return Buffer.concat([head, topic, payload]);
}

const socket = connect(port, "127.0.0.1", () => socket.write(CONNECT));
socket.once("data", () => {
  // Enough different ones that no topic always has the same value.
  const packets = Array.from({ length: Math.max(topics, 10_000) + 7 }, (_, n) => packet(n));
  const start = performance.now();
  const all = Math.round(rate * seconds);
  let sent = 0;
  const timer = setInterval(() => {
    // What the socket can't take yet is sent later, so that this thread's memory stays small.
    if (socket.writableLength > 4 << 20) return;
    const due = Math.min(all, Math.floor(((performance.now() - start) / 1000) * rate));
    const batch = [];
    for (; sent < due; sent++) batch.push(packets[sent % packets.length]);
    if (batch.length) socket.write(Buffer.concat(batch));
    if (sent < all) return;
    clearInterval(timer);
    socket.end(Buffer.from([0xe0, 0]), () =>
      parentPort.postMessage({ sent, seconds: (performance.now() - start) / 1000 }));
  }, TICK_MS);
});
socket.on("error", (error) => { throw error; });
