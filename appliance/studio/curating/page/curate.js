// The page: holds a hand of cards, the first of which is heard and decided.

import { draw } from "./drawing.js";
import { Player, SoundError } from "./sound.js";
import { RefusedError, ask, inTurn } from "./studio.js";
import { swipeable } from "./swipe.js";

const FLIGHT_MS = 260;
const SOON_MS = 350;
const SAID_MS = 7000;

const at = (id) => document.getElementById(id);
const player = new Player();
const number = new Intl.NumberFormat("en-GB");
const hundredths = (share) => Math.round(100 * share);

let hand = [];
// Decided here, and not yet by the server.
let pending = [];
let state = null;
let playing = false;
let original = false;
let soon = null;
let saying = null;

const held = () => [...pending, ...hand.map((card) => card.row)];
const sound = (card, kind) => `api/clips/${card.row}/${kind}.wav`;
const kind = (card) => (original && !card.gone ? "original" : "codec");

// --- what the server says

function take(told, asked) {
  const open = new Set(told.open);
  state = told;
  hand = hand.filter((card) => !asked.includes(card.row) || open.has(card.row));
  const known = new Set(held());
  hand.push(...told.cards.filter((card) => !known.has(card.row)));
  for (const card of hand) card.keep = told.keep[card.row] ?? card.keep;
  show();
  clearTimeout(soon);
  if (told.busy) soon = setTimeout(refresh, SOON_MS);
}

function refresh() {
  return inTurn(async () => {
    const asked = held();
    take(await ask(`api/state?hand=${asked.join(",")}`), asked);
  }).catch(trouble);
}

// Tell the server something, in turn; `answered` is called with what it says before anything else is asked.
function tell(path, body, answered = () => null) {
  return inTurn(async () => {
    const asked = held();
    const told = await ask(path, { ...body, hand: asked });
    answered(told);
    take(told, asked);
  });
}

// --- what somebody does

async function decide(keep) {
  const card = hand.shift();
  if (card === undefined) return;
  fly(keep);
  pending.push(card.row);
  begin();
  show();
  const settled = () => (pending = pending.filter((row) => row !== card.row));
  try {
    await tell("api/decide", { row: card.row, keep }, settled);
  } catch (error) {
    settled();
    hand.unshift(card);
    show();
    trouble(error);
  }
}

function undo() {
  if (!state?.steps && !pending.length) return;
  tell("api/undo", {}, (told) => {
    hand.unshift(...told.back);
    if (told.undone && !told.back.length) say(`Guesses taken back: ${number.format(told.undone)}.`);
  }).catch(trouble);
}

async function offer() {
  await refresh();
  const guess = state.guess;
  const count = guess?.trusted ? guess.sure_keep + guess.sure_reject : 0;
  if (!count) return;
  at("ask-title").textContent = `Accept the guess for ${number.format(count)} clips, unheard?`;
  at("ask-text").textContent =
    `It would keep ${number.format(guess.sure_keep)} and reject ${number.format(guess.sure_reject)}, and is more than ` +
    `95 % sure of each. You decided ${number.format(guess.sure_seen)} clips that it would have been sure of, and it had ` +
    `${number.format(guess.sure_right)} of them right. Undo takes all of it back.`;
  at("ask").returnValue = "no";
  at("ask").dataset.number = guess.number;
  at("ask").showModal();
}

function accept() {
  if (at("ask").returnValue !== "yes") return;
  tell("api/accept", { number: Number(at("ask").dataset.number) }, (told) => {
    say(`Clips decided by the guess: ${number.format(told.accepted)}.`);
  }).catch(trouble);
}

function play(wanted) {
  playing = wanted;
  if (wanted) begin();
  show();
}

// The first touch or key lets the page sound.
async function begin() {
  if (!player.unlocked) playing = true;
  await player.unlock();
  show();
}

function hear(wanted) {
  original = wanted;
  play(true);
}

// --- what is seen and heard

function show() {
  const card = hand[0];
  at("card").hidden = card === undefined;
  at("next-card").hidden = hand.length < 2;
  at("done").hidden = state === null || card !== undefined || pending.length > 0;
  for (const id of ["keep", "reject", "play"]) at(id).disabled = card === undefined;
  at("undo").disabled = !state?.steps && !pending.length;
  at("play").setAttribute("aria-pressed", String(playing));
  at("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  if (state !== null) showTally();
  if (card !== undefined) showCard(card);
  showGuess(card);
  listen(card);
}

function showTally() {
  const decided = state.kept + state.rejected;
  const unheard = state.guessed ? `, ${number.format(state.guessed)} of them by guess` : "";
  at("tally").textContent =
    `${number.format(decided)} of ${number.format(state.total)} · ${number.format(state.kept)} kept · ` +
    `${number.format(state.rejected)} rejected${unheard}`;
  at("done-tally").textContent = `${number.format(state.kept)} kept, ${number.format(state.rejected)} rejected${unheard}.`;
  at("bar").setAttribute("aria-valuemax", state.total);
  at("bar").setAttribute("aria-valuenow", decided);
  at("bar-kept").style.width = `${(100 * state.kept) / state.total}%`;
  at("bar-rejected").style.width = `${(100 * state.rejected) / state.total}%`;
}

function showCard(card) {
  const heard = kind(card);
  const folders = card.source.split("/");
  at("name").textContent = folders.pop();
  const time = `at ${card.start_s.toFixed(1)} s`;
  at("origin").textContent = [folders.join(" / "), time, card.licence].filter(Boolean).join(" · ");
  at("codec").setAttribute("aria-pressed", String(heard === "codec"));
  at("original").setAttribute("aria-pressed", String(heard === "original"));
  at("original").disabled = Boolean(card.gone);
  at("note").textContent = card.gone || (player.unlocked ? "" : "Tap the card, or press space, to listen.");
  if (at("card").dataset.row !== String(card.row)) {
    at("card").dataset.row = card.row;
    draw(at("curve"), card.curve);
  }
}

function showGuess(card) {
  const guess = state?.guess;
  const sure = guess?.trusted ? guess.sure_keep + guess.sure_reject : 0;
  at("offer").hidden = !sure;
  at("offer").textContent = `Accept the guess for ${number.format(sure)} clips`;
  if (!guess) {
    at("guess").textContent = state && card ? "Keep some and reject some, and it begins to guess." : "";
    return;
  }
  const sureness = Math.max(card?.keep ?? 0, 1 - (card?.keep ?? 0));
  const here = card?.keep === undefined ? "" : `The guess: ${card.keep > 0.5 ? "keep" : "reject"}, ${hundredths(sureness)} %. `;
  const right =
    guess.accuracy === null
      ? `It has learned from ${number.format(guess.learned)} clips.`
      : `It gets ${hundredths(guess.accuracy)} of 100 right; always saying the same gets ${hundredths(guess.blind)}.`;
  at("guess").textContent = here + right;
}

async function listen(card) {
  if (!player.unlocked) return;
  if (card === undefined || !playing) {
    player.stop();
    at("card").dataset.heard = "";
    return;
  }
  try {
    const seconds = await player.play(sound(card, kind(card)));
    if (seconds === null) return;
    at("card").dataset.heard = kind(card);
    at("card").dataset.seconds = seconds.toFixed(3);
    for (const next of hand.slice(1, 3)) player.prepare(sound(next, kind(next))).catch(() => null);
  } catch (error) {
    // Without the recording there is still what the codec makes of it.
    if (error instanceof SoundError && kind(card) === "original") {
      card.gone = error.message;
      show();
    } else {
      trouble(error);
    }
  }
}

// A picture of the card flies away, and the card itself is the next one already.
function fly(keep) {
  const ghost = at("card").cloneNode(true);
  for (const part of [ghost, ...ghost.querySelectorAll("[id]")]) part.removeAttribute("id");
  ghost.className = `card ghost ${keep ? "kept" : "rejected"}`;
  ghost.inert = true;
  ghost.style.setProperty("--far", keep ? 1 : -1);
  const canvas = ghost.querySelector("canvas");
  canvas.getContext("2d").drawImage(at("curve"), 0, 0);
  at("deck").append(ghost);
  setTimeout(() => ghost.remove(), FLIGHT_MS);
}

function say(sentence) {
  at("said").textContent = sentence;
  at("said").hidden = false;
  clearTimeout(saying);
  saying = setTimeout(() => (at("said").hidden = true), SAID_MS);
}

function trouble(error) {
  say(error.message);
  if (error instanceof RefusedError) refresh();
}

// --- hands

const KEYS = new Map([
  ["ArrowRight", () => decide(true)],
  ["k", () => decide(true)],
  ["ArrowLeft", () => decide(false)],
  ["j", () => decide(false)],
  [" ", () => play(!playing)],
  ["o", () => hear(!original)],
  ["z", undo],
  ["u", undo],
]);

document.addEventListener("keydown", (event) => {
  const known = KEYS.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
  // A key that is held down must not decide a hundred clips.
  if (!known || event.repeat || event.altKey || event.ctrlKey || event.metaKey || at("ask").open) return;
  if (event.key === " " && event.target.closest("button")) return;
  event.preventDefault();
  known();
});

swipeable(at("card"), {
  thrown: decide,
  tapped: () => play(!playing),
  dragged: (far) => at("card").style.setProperty("--far", far),
});

const BUTTONS = {
  keep: () => decide(true),
  reject: () => decide(false),
  play: () => play(!playing),
  codec: () => hear(false),
  original: () => hear(true),
  undo,
  offer,
};
for (const [id, pressed] of Object.entries(BUTTONS)) {
  at(id).addEventListener("click", (event) => {
    pressed();
    // After a finger or a mouse, the space bar is for playing again.
    if (event.detail > 0) at(id).blur();
  });
}
at("ask").addEventListener("close", accept);
// Some browsers let a page sound after a click only.
document.addEventListener("click", () => player.unlocked && player.unlock());
new ResizeObserver(() => hand[0] && draw(at("curve"), hand[0].curve)).observe(at("curve"));
refresh();
