// The spectrum as a curve: 1233 values 0..255, ten cents apart, the last at 22,050 Hz.

const TOP_HZ = 22050;
const BINS = 1233;
const LOWEST_BIN = 110;
const MARKS = [
  [50, "50"],
  [200, "200"],
  [1000, "1k"],
  [5000, "5k Hz"],
];
const FOOT = 20;

export function draw(canvas, curve) {
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const floor = height - FOOT;
  marks(pen, width, floor);
  const points = outline(curve, width, floor);
  const across = pen.createLinearGradient(0, 0, width, 0);
  for (const [at, colour] of [[0, "#8f8ae6"], [0.5, "#6cc3d5"], [1, "#8fdcb0"]]) across.addColorStop(at, colour);
  fill(pen, points, floor, across);
  pen.strokeStyle = across;
  pen.lineWidth = 1.5;
  pen.lineJoin = "round";
  pen.beginPath();
  for (const [x, y] of points) pen.lineTo(x, y);
  pen.stroke();
}

// The highest value in each column, so that no tone is lost between two of them.
function outline(curve, width, floor) {
  const columns = Math.max(2, Math.round(width));
  const points = [];
  for (let column = 0; column < columns; column++) {
    const from = Math.round(LOWEST_BIN + ((BINS - LOWEST_BIN) * column) / columns);
    const to = Math.max(from + 1, Math.round(LOWEST_BIN + ((BINS - LOWEST_BIN) * (column + 1)) / columns));
    const highest = Math.max(...curve.slice(from, to));
    points.push([(column * width) / (columns - 1), floor - 1 - (highest / 255) * (floor - 6)]);
  }
  return points;
}

function fill(pen, points, floor, colour) {
  pen.save();
  pen.globalAlpha = 0.16;
  pen.fillStyle = colour;
  pen.beginPath();
  pen.moveTo(points[0][0], floor);
  for (const [x, y] of points) pen.lineTo(x, y);
  pen.lineTo(points[points.length - 1][0], floor);
  pen.fill();
  pen.restore();
}

function marks(pen, width, floor) {
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "center";
  for (const [hz, text] of MARKS) {
    const bin = BINS - 1 + 120 * Math.log2(hz / TOP_HZ);
    const x = (width * (bin - LOWEST_BIN)) / (BINS - LOWEST_BIN);
    pen.fillStyle = "rgba(255, 255, 255, 0.06)";
    pen.fillRect(Math.round(x), 4, 1, floor - 4);
    pen.fillStyle = "#8b93a1";
    pen.fillText(text, x, floor + 15);
  }
}
