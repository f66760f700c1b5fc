// The service worker: without a network the page opens all the same, and says that it isn't connected.
//
// The builder of the dashboard puts three constants before this: VERSION, which is another one whenever any
// file is another one, FILES, the first load, and REST, what further pages need, all with a hash in their
// names. The first load is kept at once; the rest when the page is idle, which it says.
//
// Old and new are never mixed. The page always comes from the broker where that answers, and the files
// that it names carry the hash of their content in their names: what was kept under such a name is what
// the broker would send. A new version of this worker keeps its files in a cache of its own and waits
// until no page of the old one is open any more; until then the old one can fetch what its pages name,
// even where the broker has it no longer.
const CACHE = `dashboard-${VERSION}`;

// How long the broker may take to send the page where there is one from earlier, in milliseconds.
const PATIENCE_MS = 4000;

// A name with a hash in it, as the builder makes them.
const HASHED = /-[0-9a-f]{16}\.\w+$/;

addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)));
});

addEventListener("message", (event) => {
  // What can't be had now is had when somebody goes there, or when the page is opened again.
  if (event.data === "rest") event.waitUntil(keepRest().catch(() => {}));
});

async function keepRest() {
  // One after the other, so that whatever the page itself wants is not behind all of them.
  for (const name of REST) await keptOrFetched(new Request(name));
}

addEventListener("activate", (event) => {
  const forget = (names) =>
    Promise.all(
      names.filter((name) => name.startsWith("dashboard-") && name !== CACHE)
        .map((name) => caches.delete(name)),
    );
  event.waitUntil(caches.keys().then(forget));
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  const scope = new URL(registration.scope);
  if (request.method !== "GET" || url.origin !== scope.origin) return;
  if (!url.pathname.startsWith(scope.pathname)) return;
  const name = url.pathname.slice(scope.pathname.length);
  if (HASHED.test(name)) {
    event.respondWith(keptOrFetched(request));
  } else if (FILES.includes(`./${name}`)) {
    // Whatever stands behind the name, such as which glue the worker is to load, is no part of the file.
    event.respondWith(fetchedOrKept(request, `./${name}`));
  }
});

async function keptOrFetched(request) {
  const kept = await caches.match(request.url, { ignoreVary: true });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await (await caches.open(CACHE)).put(request.url, response.clone());
  return response;
}

async function fetchedOrKept(request, name) {
  const found = await (await caches.open(CACHE)).match(name, { ignoreVary: true });
  if (!found) return fetch(request);
  // Without an address of its own, it has that which was asked for.
  const kept = new Response(found.body, found);
  const patience = new Promise((resolve) => setTimeout(() => resolve(kept), PATIENCE_MS));
  return Promise.race([fetch(request).catch(() => kept), patience]);
}
