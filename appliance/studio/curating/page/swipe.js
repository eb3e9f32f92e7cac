// A card that follows the finger: let go far enough to a side it is thrown, else it comes back; a tap is a tap.

const FAR = 0.28;
const FAST_PX_PER_MS = 0.6;
const TAP_PX = 8;

export function swipeable(card, { thrown, tapped, dragged }) {
  let held = null;

  const back = () => {
    held = null;
    card.classList.remove("held");
    card.style.transform = "";
    dragged(0);
  };

  card.addEventListener("pointerdown", (event) => {
    if (held !== null || event.button !== 0 || event.target.closest("button")) return;
    held = { id: event.pointerId, x: event.clientX, y: event.clientY, at: event.timeStamp, moved: false };
    card.setPointerCapture(event.pointerId);
  });
  card.addEventListener("pointermove", (event) => {
    if (event.pointerId !== held?.id) return;
    const [x, y] = [event.clientX - held.x, event.clientY - held.y];
    held.moved ||= Math.hypot(x, y) > TAP_PX;
    if (!held.moved) return;
    card.classList.add("held");
    card.style.transform = `translate(${x}px, ${y * 0.15}px) rotate(${x / 24}deg)`;
    dragged(Math.max(-1, Math.min(1, x / (card.offsetWidth * FAR))));
  });
  card.addEventListener("pointerup", (event) => {
    if (event.pointerId !== held?.id) return;
    const { x: from, at, moved } = held;
    const x = event.clientX - from;
    const fast = Math.abs(x) / Math.max(1, event.timeStamp - at) > FAST_PX_PER_MS && Math.abs(x) > 40;
    if (moved && (fast || Math.abs(x) > card.offsetWidth * FAR)) {
      thrown(x > 0);
      // What lies here now is the next card, and does not come from where the finger was.
      card.style.transition = "none";
      requestAnimationFrame(() => requestAnimationFrame(() => (card.style.transition = "")));
    } else if (!moved) {
      tapped();
    }
    back();
  });
  // The browser took the touch for something else, scrolling for instance.
  card.addEventListener("pointercancel", (event) => {
    if (event.pointerId === held?.id) back();
  });
}
