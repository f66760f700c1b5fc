// Measures the dashboard in headless Chromium, against a broker that runs, and prints one JSON object.
//
//   node measure.mjs '{"tcp": 1883, "ws": 9001, "browser": "/usr/bin/chromium", "load": "load", "seconds": 20}'
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const options = { seconds: 20, only: [], ...JSON.parse(process.argv[2]) };
const address = `http://127.0.0.1:${options.ws}/`;
const LOADS = 5;
const TOPICS = 10_000;
const RATE = 20_000;

const NUMBERS = 1_000_000;
const DRAWINGS = 15;

// What is measured does not begin before the page is up, in milliseconds.
const START_UP_MS = 3_000;

const browser = await chromium.launch({
  executablePath: options.browser,
  // MQTT.js's page comes from no network at all, and is to talk to the broker all the same.
  args: ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"],
});

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (text) => console.error(text);

/** Has the project's load generator publish readings of so many sensors, and says how many it has sent. */
async function publish(sensors, rate, seconds, retain = false) {
  const { stdout } = await promisify(execFile)(options.load, ["readings", ...(retain ? ["--retain"] : []),
    "--address", `127.0.0.1:${options.tcp}`, "--sensors", sensors, "--rate", rate, "--seconds", seconds]);
  return JSON.parse(stdout);
}

/** A page in a profile of its own: nothing is cached. `watch` runs in it before anything else. */
async function open(url, watch = () => {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en" });
  const page = await context.newPage();
  page.on("pageerror", (error) => say(`the page: ${error.message}`));
  await page.addInitScript(watch);
  await page.goto(url);
  return page;
}

/** What the page says that it has counted. */
const counted = (page, role = "messages") =>
  page.evaluate((role) => Number(
    document.querySelector(`[data-role=${role}] dd`)?.textContent.replace(/\D/g, "") ?? 0), role);

/** The page counts twice a second: waits until its figure stays. */
async function settled(page, role) {
  for (let before = -1; ;) {
    const now = await counted(page, role);
    if (now === before) return now;
    before = now;
    await sleep(1_500);
  }
}

// Weight over the wire, and the time until a value is on the screen.
async function firstLoad() {
  await publish(12, 1_200, 0.01, true);
  const times = [];
  let weight = {};
  for (let n = 0; n < LOADS; n++) {
    const page = await open(address, () => {
      const look = () => {
        const value = document.querySelector(".card [data-role=value]");
        if (value?.textContent) globalThis.firstValueMs = performance.now();
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    await page.waitForFunction(() => globalThis.firstValueMs);
    times.push(await page.evaluate(() => globalThis.firstValueMs));
    weight = await page.evaluate(() => Object.fromEntries(
      ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
        .map((entry) => [new URL(entry.name).pathname.slice(1).replace(/-[0-9a-f]{16}/, "") || "index.html",
          entry.encodedBodySize])));
    await page.context().close();
  }
  const bytes = Object.values(weight).reduce((a, b) => a + b, 0);
  return { bytes, files: weight, first_value_ms: Math.round(median(times)) };
}

/** Observes what holds the page's thread, and how long a person waits for an answer. */
function watchThread() {
  globalThis.longTasks = [];
  globalThis.inputs = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) longTasks.push([startTime, duration]);
  }).observe({ type: "longtask", buffered: true });
  new PerformanceObserver((list) => {
    for (const { startTime, duration, name } of list.getEntries()) inputs.push([startTime, duration, name]);
  }).observe({ type: "event", durationThreshold: 16, buffered: true });
}

/** Resident memory of the browser's busiest renderer, in bytes: page, worker and their wasm. */
async function resident(session) {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const sizes = await Promise.all(
    processInfo.filter(({ type }) => type === "renderer").map(async ({ id }) => {
      const status = await readFile(`/proc/${id}/status`, "utf8").catch(() => "");
      return Number(/VmRSS:\s*(\d+)/.exec(status)?.[1] ?? 0) * 1024;
    }),
  );
  return Math.max(0, ...sizes);
}

// How long the browser records what its tasks cost, at most.
const RECORDED_MS = 60_000;

/** Has the browser record its tasks. Returns what ends that, and gives those of the page's thread: when each
 * began by the page's clock, and how much processor time it took, in milliseconds. */
async function record(page, session) {
  const traceConfig = { includedCategories: ["toplevel", "blink.user_timing"], excludedCategories: ["*"] };
  await session.send("Tracing.start", { transferMode: "ReturnAsStream", streamFormat: "json", traceConfig });
  const markMs = await page.evaluate(() => performance.mark("recording").startTime);
  let stopped;
  const stop = () => stopped ??= (async () => {
    const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
    await session.send("Tracing.end");
    const { stream } = await complete;
    let text = "";
    for (let ended = false; !ended;) {
      const part = await session.send("IO.read", { handle: stream, size: 4 << 20 });
      text += part.data;
      ended = part.eof;
    }
    const { traceEvents } = JSON.parse(text);
    // The page's thread is the one that made the mark.
    const mark = traceEvents.find(({ name }) => name === "recording");
    return traceEvents
      .filter(({ name, pid, tid }) => name.endsWith("RunTask") && pid === mark.pid && tid === mark.tid)
      .map(({ ts, tdur = 0 }) => [markMs + (ts - mark.ts) / 1_000, tdur / 1_000]);
  })();
  setTimeout(stop, RECORDED_MS).unref();
  return stop;
}

// Ten thousand topics at twenty thousand messages a second, while somebody uses the page.
async function flood() {
  const page = await open(address, watchThread);
  const session = await browser.newBrowserCDPSession();
  await page.waitForSelector("[data-state=online]");
  const before = await settled(page);
  const sending = publish(TOPICS, RATE, options.seconds);
  const fromMs = await page.evaluate(() => performance.now()) + START_UP_MS;
  const memory = [];
  let ended = false;
  sending.then(() => { ended = true; });
  const steps = [
    ["search", () => page.fill("[data-role=search]", "sensor-77")],
    ["clear", () => page.fill("[data-role=search]", "")],
    ["topics", () => page.click(".nav-link[href='#/topics']")],
    ["open a branch", () => page.click(".tree-row")],
    ["next row", () => page.keyboard.press("ArrowDown")],
    ["list", () => page.click("[data-role=flat]").catch(() => {})],
    ["messages", () => page.click(".nav-link[href='#/messages']")],
    ["pause", () => page.click("[data-role=pause]")],
    ["go on", () => page.click("[data-role=pause]")],
    ["board", () => page.click(".nav-link[href='#/']")],
    ["scroll", () => page.mouse.wheel(0, 2_000)],
  ];
  await sleep(START_UP_MS);
  const recorded = await record(page, session);
  // Which step began when, by the page's clock.
  const originMs = await page.evaluate(() => performance.timeOrigin);
  const begun = [];
  for (let n = 0; !ended; n++) {
    const [name, step] = steps[n % steps.length];
    begun.push([Date.now() - originMs, name]);
    await step();
    await sleep(400);
    memory.push(await resident(session));
  }
  const stepAt = (ms) => begun.findLast(([beganMs]) => beganMs <= ms + 1)?.[1];
  const { sent } = await sending;
  const received = (await settled(page)) - before;
  const dropped = await counted(page, "dropped");
  const [tasks, inputs] = await page.evaluate(() => [longTasks, inputs]);
  const after = ([startTime]) => startTime > fromMs;
  const longest = tasks.filter(after).map(([, duration]) => duration);
  // The processor time of a task is the same however busy the machine is.
  const costs = (await recorded()).filter(([startTime]) => stepAt(startTime));
  const ofStep = (all, name) => all.filter(([startTime]) => stepAt(startTime) === name);
  const doings = steps.map(([name]) => ({
    name,
    long_tasks: ofStep(tasks.filter(after), name).map(([, duration]) => duration),
    costliest_ms: Number(Math.max(0, ...ofStep(costs, name).map(([, cost]) => cost)).toFixed(1)),
  }));
  const waits = inputs.filter(after).map(([, duration]) => duration);
  await page.context().close();
  const third = Math.max(1, Math.floor(memory.length / 3));
  return {
    topics: TOPICS, rate: RATE, seconds: options.seconds, sent, received, dropped,
    missing: sent - received,
    steps: doings, costliest_task_ms: Math.max(...doings.map(({ costliest_ms }) => costliest_ms)),
    long_tasks: longest.length, longest_task_ms: Math.round(Math.max(0, ...longest)),
    input_to_paint_ms: Math.round(Math.max(0, ...waits)),
    inputs: inputs.filter(after).sort((a, b) => b[1] - a[1]).slice(0, 5),
    memory_growth: Number((median(memory.slice(2 * third)) / median(memory.slice(third, 2 * third))).toFixed(2)),
    memory_mib: { second_third: Math.round(median(memory.slice(third, 2 * third)) / 2 ** 20),
      last_third: Math.round(median(memory.slice(2 * third)) / 2 ** 20),
      highest: Math.round(Math.max(...memory) / 2 ** 20) },
  };
}

/** A page in a profile of its own that Playwright knows nothing of: it has the browser tell it of each WebSocket
 * frame, with what is in it, which costs more than what is measured. `body` is in the place of what the broker
 * has at the address. */
async function openAlone(url, body) {
  const session = await browser.newBrowserCDPSession();
  const { browserContextId } = await session.send("Target.createBrowserContext");
  const where = { url: "about:blank", browserContextId, width: 1440, height: 900 };
  const { targetId } = await session.send("Target.createTarget", where);
  const { sessionId } = await session.send("Target.attachToTarget", { targetId, flatten: false });
  const waiting = new Map();
  const send = (method, params = {}) => new Promise((resolve, reject) => {
    const id = waiting.size + 1;
    waiting.set(id, ({ result, error }) => (error ? reject(new Error(error.message)) : resolve(result)));
    session.send("Target.sendMessageToTarget", { sessionId, message: JSON.stringify({ id, method, params }) })
      .catch(reject);
  });
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { id, method, params, ...answer } = JSON.parse(message);
    waiting.get(id)?.(answer);
    if (method === "Fetch.requestPaused") {
      const responseHeaders = [{ name: "content-type", value: "text/html" }];
      send("Fetch.fulfillRequest", { requestId: params.requestId, responseCode: 200, responseHeaders,
        body: Buffer.from(body).toString("base64") });
    }
  });
  const evaluate = async (script) => {
    const { result, exceptionDetails } = await send("Runtime.evaluate",
      { expression: `(${script})()`, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception.description);
    return result.value;
  };
  if (body) await send("Fetch.enable", { patterns: [{ urlPattern: url }] });
  await send("Page.navigate", { url });
  return {
    evaluate,
    async until(script) {
      while (!(await evaluate(script))) await sleep(50);
      if (body) await send("Fetch.disable");
    },
    async close() {
      await session.send("Target.disposeBrowserContext", { browserContextId });
      await session.detach();
    },
  };
}

/** The most messages a second that a page takes in: it is offered more until it takes no more. */
async function taken(open, sample) {
  let best = 0;
  let refused = 0;
  const tried = [];
  // What it refuses once may be the machine's, and twice is its own.
  for (let offered = 50_000; refused < 2; offered *= 1.5) {
    const page = await open();
    const sending = publish(1_000, Math.round(offered), 5);
    await sleep(1_500);
    const [from, fromMs] = await page.evaluate(sample);
    await sleep(2_000);
    const [to, toMs] = await page.evaluate(sample);
    // What is still to come is for nobody then, and soon gone.
    await page.close();
    await sending;
    const rate = Math.round((to - from) / ((toMs - fromMs) / 1_000));
    tried.push([Math.round(offered), rate]);
    say(`  offered ${Math.round(offered)}/s, taken ${rate}/s`);
    best = Math.max(best, rate);
    refused = rate < 0.6 * offered ? refused + 1 : 0;
  }
  return { best, tried };
}

/** What MQTT.js takes in, and when that was. */
const sampleMqttJs = () => [globalThis.count, performance.now()];

/** What the page shows that the engine has taken in, as soon as it shows something new. */
const sampleEngine = () => new Promise((resolve) => {
  const shown = () => document.querySelector("[data-role=messages] dd").textContent.replace(/\D/g, "");
  const before = shown();
  const look = () => {
    if (shown() === before) requestAnimationFrame(look);
    else resolve([Number(shown()), performance.now()]);
  };
  look();
});

// The engine beside MQTT.js: the same messages, and of each topic the last value and the count.
async function peers() {
  const script = await readFile(new URL("node_modules/mqtt/dist/mqtt.min.js", import.meta.url), "utf8");
  const body = `<!doctype html><title>MQTT.js</title><script>${script}</script><script>
    globalThis.count = 0;
    const topics = new Map();
    const client = mqtt.connect("ws://127.0.0.1:${options.ws}/mqtt", { protocolVersion: 5 });
    client.on("connect", () => client.subscribe("#", () => { globalThis.ready = true; }));
    client.on("message", (topic, payload) => {
      count++;
      const known = topics.get(topic);
      if (known) { known.count++; known.last = payload; }
      else topics.set(topic, { count: 1, last: payload });
    });
  </script>`;
  say("MQTT.js:");
  const mqttjs = await taken(async () => {
    // From the broker's own address, as the dashboard is.
    const page = await openAlone(`${address}mqtt-js.html`, body);
    await page.until(() => globalThis.ready);
    return page;
  }, sampleMqttJs);
  say("the engine:");
  const engine = await taken(async () => {
    const page = await openAlone(address);
    await page.until(() => document.querySelector("[data-state=online]") !== null);
    return page;
  }, sampleEngine);
  return { mqttjs, engine, times: Number((engine.best / mqttjs.best).toFixed(1)) };
}

/** Observes how long each drawing of a chart holds the page's thread. */
function watchDrawing() {
  globalThis.drawings = [];
  const { clearRect, restore } = CanvasRenderingContext2D.prototype;
  let beganMs = 0;
  CanvasRenderingContext2D.prototype.clearRect = function (...area) {
    beganMs = performance.now();
    clearRect.apply(this, area);
  };
  // What a chart does last.
  CanvasRenderingContext2D.prototype.restore = function () {
    restore.call(this);
    drawings.push([beganMs, performance.now()]);
  };
}

// A chart of a million numbers: how long the page draws it, and how long until it is there again after a key.
async function chart() {
  const page = await open(`${address}#/topics/bench/0/sensor-0`, watchDrawing);
  await page.waitForSelector("[data-state=online]");
  const { sent } = await publish(1, NUMBERS / 20, 20);
  const received = await settled(page);
  await page.focus(".chart-plot");
  const drawn = [];
  const waited = [];
  for (let n = 0; n < DRAWINGS; n++) {
    for (const key of ["+", "Escape"]) {
      const pressedMs = await page.evaluate(() => performance.now());
      await page.keyboard.press(key);
      const [beganMs, endedMs] = await (await page.waitForFunction(
        (pressedMs) => drawings.find(([beganMs]) => beganMs > pressedMs), pressedMs)).jsonValue();
      // Whatever it goes on to do is over before the next key.
      await sleep(200);
      // All of it again, which was drawn once before: the first time is over.
      if (key === "Escape") {
        drawn.push(endedMs - beganMs);
        waited.push(endedMs - pressedMs);
      }
    }
  }
  const width = await page.evaluate(() => document.querySelector(".chart-canvas").width);
  await page.context().close();
  const rounded = (ms) => Number(ms.toFixed(1));
  return {
    numbers: received, sent, width,
    drawn_ms: rounded(median(drawn)), drawn_ms_longest: rounded(Math.max(...drawn)),
    key_to_drawn_ms: rounded(median(waited)),
  };
}

const parts = { load: firstLoad, flood, chart, peers };
const results = { browser: browser.version() };
for (const [name, measure] of Object.entries(parts)) {
  if (options.only.length && !options.only.includes(name)) continue;
  say(`${name}…`);
  results[name] = await measure();
  say(JSON.stringify(results[name]));
}
await browser.close();
console.log(JSON.stringify(results, null, 2));
