// The worker that the dashboard's engine lives in. The page sends its compiled module and names the
// JavaScript around it, so that nothing is loaded or compiled twice.
async function start({ data: module }) {
  const glue = new URL(new URLSearchParams(location.search).get("glue"), location.href);
  if (glue.origin !== location.origin) throw new Error(`not of this site: ${glue}`);
  const { default: init, engine } = await import(glue);
  await init({ module_or_path: module });
  engine();
}

// Thrown from a timer, an error reaches the page; from a promise it would not.
const fail = (error) => setTimeout(() => { throw error; });
addEventListener("message", (event) => start(event).catch(fail), { once: true });
