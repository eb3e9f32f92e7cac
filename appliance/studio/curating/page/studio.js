// The server: what is asked of it goes one after another, so that decisions keep their order.

const TRIES = 3;
const PAUSE_MS = 700;

export class RefusedError extends Error {}

let last = Promise.resolve();

// Do a job when all those before are done, whether they went well or not.
export function inTurn(job) {
  const done = last.then(job);
  last = done.catch(() => null);
  return done;
}

// Ask for JSON: by POST where there is a body.
export async function ask(path, body) {
  // To decide or accept the same twice changes nothing, and one undo more could be wrong.
  const tries = path === "api/undo" ? 1 : TRIES;
  for (let turn = 1; ; turn++) {
    try {
      return await once(path, body);
    } catch (error) {
      if (error instanceof RefusedError) throw error;
      if (turn === tries) throw new Error("The studio does not answer. Start it again with latent studio curate.");
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

async function once(path, body) {
  const how =
    body === undefined
      ? {}
      : {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
          // A reload does not take back what was decided just before.
          keepalive: true,
        };
  const answer = await fetch(path, how);
  const told = await answer.json().catch(() => ({ error: "The studio stumbled; what it printed says why." }));
  if (!answer.ok) throw new RefusedError(told.error);
  return told;
}
