// A picture that is drawn elsewhere: shows the PNG, and tells where it was clicked in fractions of its size.
function render({ model, el }) {
  const image = document.createElement("img");
  let url = null;

  const show = () => {
    const png = model.get("png");
    if (url !== null) URL.revokeObjectURL(url);
    url = png.byteLength ? URL.createObjectURL(new Blob([png], { type: "image/png" })) : null;
    image.hidden = url === null;
    if (url !== null) image.src = url;
    image.alt = model.get("alt");
    image.style.width = `${model.get("width")}px`;
    image.style.maxWidth = "100%";
    image.style.height = "auto";
    image.style.borderRadius = "6px";
  };

  const tell = (kind, x, y) => {
    model.set("event", { kind, x, y, number: model.get("event").number + 1 });
    model.save_changes();
  };

  const place = (event) => {
    const box = image.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };

  const clickable = (x, y) =>
    model.get("areas").some(([left, top, right, bottom]) => left <= x && x <= right && top <= y && y <= bottom);

  image.tabIndex = 0;
  image.addEventListener("mousemove", (event) => {
    image.style.cursor = clickable(...place(event)) ? "crosshair" : "default";
  });
  image.addEventListener("click", (event) => {
    const [x, y] = place(event);
    if (clickable(x, y)) tell("click", x, y);
  });
  image.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    tell(step > 0 ? "next" : "previous", 0, 0);
  });

  show();
  model.on("change:png", show);
  el.append(image);
  return () => {
    model.off("change:png", show);
    if (url !== null) URL.revokeObjectURL(url);
  };
}

export default { render };
