// Sorts a table by the column whose heading is pressed: numbers by value, texts by letters, cells without a figure last.
document.querySelectorAll("th button").forEach((button) => {
  button.addEventListener("click", () => {
    const heading = button.parentElement;
    const table = heading.closest("table");
    const column = [...heading.parentElement.children].indexOf(heading);
    const ascending = heading.getAttribute("aria-sort") !== "ascending";
    table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const key = (row) => row.children[column].dataset.value;
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const difference = column === 0 ? x.localeCompare(y) : Number(x) - Number(y);
      return ascending ? difference : -difference;
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort(order));
  });
});

// A method is emphasised in all charts while its chip is pressed; of more than six the one that was pressed first goes.
const chips = [...document.querySelectorAll(".chip")];
const styles = ["s0", "s1", "s2", "s3", "s4", "s5"];
const pressed = chips.filter((chip) => chip.ariaPressed === "true");
const parts = (chip) => document.querySelectorAll(`[data-key="${chip.dataset.key}"]`);
const style = (chip) => styles.find((name) => chip.classList.contains(name));
const release = (chip) => {
  chip.ariaPressed = "false";
  parts(chip).forEach((part) => part.classList.remove(...styles));
};
// Names near their curves' ends, and no two on each other: as chart.rs does it.
const LINE = 15, BOTTOM = 254;
const place = (chart) => {
  const names = [...chart.querySelectorAll("text.name:is(.s0, .s1, .s2, .s3, .s4, .s5)")];
  names.sort((a, b) => a.dataset.y - b.dataset.y);
  const places = names.map((name) => Number(name.dataset.y));
  for (let at = 1; at < places.length; at += 1) places[at] = Math.max(places[at], places[at - 1] + LINE);
  let lowest = BOTTOM;
  for (let at = places.length - 1; at >= 0; at -= 1) {
    places[at] = Math.min(places[at], lowest);
    lowest = places[at] - LINE;
    names[at].setAttribute("y", places[at] + 4);
  }
};
chips.forEach((chip) => {
  chip.addEventListener("click", () => {
    if (pressed.includes(chip)) {
      pressed.splice(pressed.indexOf(chip), 1);
      release(chip);
    } else {
      if (pressed.length === styles.length) release(pressed.shift());
      const free = styles.find((name) => !pressed.some((other) => style(other) === name));
      pressed.push(chip);
      chip.ariaPressed = "true";
      parts(chip).forEach((part) => {
        part.classList.add(free);
        part.parentNode.append(part);
      });
    }
    document.querySelectorAll("svg.steps").forEach(place);
  });
});
// What is pointed at, or has the focus, is bold wherever it is.
document.querySelectorAll("[data-key]").forEach((part) => {
  const light = (on) => parts(part).forEach((other) => other.classList.toggle("hot", on));
  [["pointerenter", true], ["pointerleave", false], ["focus", true], ["blur", false]].forEach(([event, on]) =>
    part.addEventListener(event, () => light(on)));
});

// One image at a time. Without this script all of them are there, below each other.
const images = [...document.querySelectorAll("section.image")];
if (images.length > 1) {
  const bar = document.createElement("p");
  bar.className = "chooser";
  const list = document.createElement("select");
  list.setAttribute("aria-label", "image");
  images.forEach((image, at) => list.append(new Option(image.querySelector("h3").textContent, at)));
  const show = (at) => {
    list.value = (at + images.length) % images.length;
    images.forEach((image, number) => { image.hidden = number !== Number(list.value); });
  };
  const step = (text, label, by) => {
    const button = document.createElement("button");
    [button.textContent, button.ariaLabel] = [text, label];
    button.addEventListener("click", () => show(Number(list.value) + by));
    return button;
  };
  list.addEventListener("change", () => show(Number(list.value)));
  bar.append(step("‹", "previous image", -1), list, step("›", "next image", 1));
  images[0].before(bar);
  show(0);
}
